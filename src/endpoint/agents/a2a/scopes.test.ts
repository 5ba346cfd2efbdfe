import { expect, it } from 'vitest';
import { recordingLog } from '../../../../adapters/testing/context.ts';
import { LOCAL_IDENTITY } from '../../../core/identity.ts';
import type { AgentRelay } from '../../../relay/relay.ts';
import { memoryState } from '../../../state/memory/memory-state.ts';
import type { AgentHttp } from '../endpoint.ts';
import { A2aEndpoint } from './serve.ts';

it.each(['/tasks', '/tasks/t', '/tasks/t/pushNotificationConfigs', '/tasks/t/pushNotificationConfigs/x'])(
  'what GET %s tells of an agent needs the scopes for it',
  (path) => {
    const route = {
      member: { name: 's', config: { origin: 'file' } },
      original: 'a',
      entry: { namespaced: 's_a', value: {} },
    };
    const relay = { agent: () => route, runs: { limits: { keepRunsMs: 1, maxRunMs: 1 } } } as unknown as AgentRelay;
    const { kv } = memoryState(recordingLog());
    const endpoint = new A2aEndpoint({ relay, kv, log: recordingLog(), signedCards: 'replaced', secured: true });
    const identity = { ...LOCAL_IDENTITY, scopes: { missing: () => ['agents:a'] } };
    const req = { method: 'GET', url: path, headers: {} };
    const http = { req, identity, view: {}, base: 'http://gateway' } as unknown as AgentHttp;
    expect(() => endpoint.take(http, { server: 's', agent: 'a', path }, {})).toThrow(
      expect.objectContaining({ code: 'SWB_INSUFFICIENT_SCOPE' }),
    );
  },
);
