import { randomBytes } from 'node:crypto';
import { ServerCallContext } from '@a2a-js/sdk/server';
import { afterEach, expect, it } from 'vitest';
import { recordingLog } from '../../../../../adapters/testing/context.ts';
import { VaultKeys } from '../../../../auth/upstream/vault-keys.ts';
import type { Identity } from '../../../../core/identity.ts';
import { memoryState } from '../../../../state/memory/memory-state.ts';
import { RUN_META, STATE } from '../events.ts';
import { loadSdk } from '../sdk.ts';
import { addressRefusal, webhookRefusal } from './address.ts';
import { Webhooks } from './webhooks.ts';

const open: Webhooks[] = [];
afterEach(() => Promise.all(open.splice(0).map((each) => each.close())));

it('a webhook of a task whose run is another grant’s is refused: that would not be told how it goes on', async () => {
  const sdk = await loadSdk();
  const log = recordingLog();
  const task = { id: 't', metadata: { [RUN_META]: 'run_1' }, status: { state: STATE.INPUT_REQUIRED } };
  const find = async (_: string, { identity }: { identity: Identity }) => (identity.grant === 'a' ? {} : undefined);
  const webhooks = new Webhooks({
    ...{ instance: 'i', state: memoryState(log), keys: new VaultKeys([randomBytes(32)]), log, mayStay: () => true },
    origins: ['https://hooks.example'],
    runs: { limits: { keepRunsMs: 60_000, maxRunMs: 1 }, find } as never,
    guard: () => undefined as never,
    tasks: async () => ({ sdk, tasks: { load: async () => task, kept: async () => undefined } as never }),
  });
  open.push(webhooks);
  const config = {
    tenant: '',
    id: '',
    taskId: 't',
    url: 'https://hooks.example/',
    token: '',
    authentication: undefined,
  };
  const contextOf = (grant: string) =>
    new ServerCallContext({
      user: { isAuthenticated: true, userName: 'p', identity: { principal: 'p', grant, claims: {} } } as never,
      requestedVersion: '1.0',
    });
  await expect(webhooks.store.save('t', contextOf('b'), { ...config })).rejects.toThrow(/not known/);
  await webhooks.store.save('t', contextOf('a'), { ...config });
});

it.each(['blob:https://hooks.example/x', 'ftp://hooks.example/', 'wss://hooks.example/'])(
  'the address of a webhook is one of http or https, whatever is listed: %s',
  (url) => {
    expect(addressRefusal(url, new Set(['https://hooks.example']))).toMatch(/origin/);
  },
);

it.each([
  ['without a url', { url: undefined }, /url/],
  ['whose url is no text', { url: ['https://hooks.example/'] }, /url/],
  ['whose id is no text', { id: 5 }, /id/],
  ['whose token is no text', { token: { length: 1 } }, /token/],
  ['whose scheme is no text', { authentication: { scheme: 5, credentials: 'x' } }, /scheme/],
  ['whose credentials are no text', { authentication: { scheme: 'Bearer', credentials: 5 } }, /credentials/],
])('a webhook %s is refused, as 0.3 has them unchecked', (_, more, says) => {
  const config = {
    tenant: '',
    id: '',
    taskId: 't',
    url: 'https://hooks.example/',
    token: '',
    authentication: undefined,
  };
  const origins = new Set(['https://hooks.example']);
  expect(webhookRefusal(config, origins)).toBeUndefined();
  expect(webhookRefusal({ ...config, ...more } as never, origins)).toMatch(says);
});
