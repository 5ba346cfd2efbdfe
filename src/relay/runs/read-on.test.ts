import { describe, expect, it } from 'vitest';
import { SwitchboardError } from '../../core/errors.ts';
import type { Federation, Member } from '../../federation/types.ts';
import type { JsonObject } from '../../wire/jsonrpc.ts';
import type { RelayCall } from '../call.ts';
import type { UpstreamRequest } from '../sending.ts';
import { readOn } from './read-on.ts';
import type { RunRecord } from './stored-runs.ts';

const AWAY = new SwitchboardError('SWB_UPSTREAM_UNAVAILABLE', 'It is away.');
const CALL = { signal: new AbortController().signal, aborted: false, caller: {} } as unknown as RelayCall;

/** A run on a server, whose requests are answered in order. An answer may change what the server is. */
function reading(...answers: ((member: { upstream?: object | undefined }) => JsonObject)[]) {
  const member: { name: string; upstream?: object | undefined } = { name: 'graph', upstream: {} };
  const sent: JsonObject[] = [];
  const federation = { whenSettled: () => undefined, member: () => member, onStateChange: () => () => {} };
  const resume = { ref: { runId: 'r', after: 0 }, section: 0, count: 0 };
  const record = { ref: { runId: 'r', after: 1 }, resume, createdAt: Date.now() } as unknown as RunRecord;
  const dispatcher = {
    exchange: async (_: RelayCall, { params }: UpstreamRequest) => {
      sent.push(params.run as JsonObject);
      return { value: (answers.shift() as (typeof answers)[number])(member) };
    },
  };
  const options = { federation: federation as unknown as Federation, dispatcher, gate: undefined };
  const execute = readOn(options, record, { server: 'graph', key: 'tool', isTool: true });
  return { sent, record, result: () => execute(CALL), member: member as unknown as Member };
}

describe('a run that is read on', () => {
  it('is looked for again, from where it was, when its server was lost and is back', async () => {
    const { sent, record, result } = reading(
      (member) => {
        record.ref = { runId: 'r', after: 2 };
        member.upstream = {};
        throw AWAY;
      },
      () => ({ content: [] }),
    );
    expect(await result()).toEqual({ content: [] });
    expect(sent).toEqual([
      { runId: 'r', after: 0 },
      { runId: 'r', after: 2 },
    ]);
  });

  it('has failed where its server is there and cannot tell', async () => {
    const { sent, result } = reading(() => {
      throw AWAY;
    });
    await expect(result()).rejects.toBe(AWAY);
    expect(sent).toHaveLength(1);
  });

  it('has failed where its server has no such runs', async () => {
    const { result } = reading(() => {
      throw new SwitchboardError('SWB_NOT_SUPPORTED', 'No agents/attach.');
    });
    await expect(result()).rejects.toMatchObject({
      code: 'SWB_AGENT_FAILED',
      message: expect.stringContaining('The gateway was restarted'),
    });
  });
});
