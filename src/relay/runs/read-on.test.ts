import { describe, expect, it } from 'vitest';
import { SwitchboardError } from '../../core/errors.ts';
import type { Federation } from '../../federation/types.ts';
import type { JsonObject } from '../../wire/jsonrpc.ts';
import type { RelayCall } from '../call.ts';
import type { UpstreamRequest } from '../sending.ts';
import { readOn } from './read-on.ts';
import type { RunRecord } from './stored-runs.ts';

const AWAY = new SwitchboardError('SWB_UPSTREAM_UNAVAILABLE', 'It is away.');
const CALL = { signal: new AbortController().signal, aborted: false, caller: {} } as unknown as RelayCall;

interface Servers {
  graph: { name: string; upstream: object | undefined };
}
type Answer = (servers: Servers) => JsonObject;

/** A run on a server, whose requests are answered in order. An answer may change what the server is. */
const reading = (...answers: Answer[]) => readingOf({ key: 'tool', isTool: true }, {}, ...answers);

function readingOf(what: { key: string; isTool?: true }, noted: Partial<RunRecord>, ...answers: Answer[]) {
  const servers: Servers = { graph: { name: 'graph', upstream: {} } };
  const sent: JsonObject[] = [];
  const streams: unknown[] = [];
  const federation = { whenSettled: () => undefined, member: () => servers.graph, onStateChange: () => () => {} };
  const record = { ref: { runId: 'r', after: 1 }, createdAt: Date.now(), ...noted } as unknown as RunRecord;
  const dispatcher = {
    exchange: async (_: RelayCall, { params }: UpstreamRequest) => {
      sent.push(params.run as JsonObject);
      streams.push(params.stream);
      return { value: (answers.shift() as Answer)(servers) };
    },
  };
  const options = { federation: federation as unknown as Federation, dispatcher, gate: undefined };
  const execute = readOn(options, record, { server: 'graph', ...what });
  return { sent, streams, record, result: () => execute(CALL) };
}

describe('a run that is read on', () => {
  it('is looked for again, from where it was, when its server was lost and is back', async () => {
    const { sent, record, result } = reading(
      ({ graph }) => {
        record.ref = { runId: 'r', after: 2 };
        graph.upstream = {};
        throw AWAY;
      },
      () => ({ content: [] }),
    );
    expect(await result()).toEqual({ content: [] });
    expect(sent).toEqual([
      { runId: 'r', after: 1 },
      { runId: 'r', after: 2 },
    ]);
  });

  it('has failed where its server was disconnected, also where another one has its name now', async () => {
    const { sent, result } = reading((servers) => {
      servers.graph = { name: 'graph', upstream: {} };
      throw AWAY;
    });
    await expect(result()).rejects.toBe(AWAY);
    expect(sent).toHaveLength(1);
  });

  it('does not speak until its place is known where the number of pieces at the noted one is not', async () => {
    const noted = { ref: { runId: 'r', after: 1, continues: true }, said: { section: 0, count: 3 } } as const;
    const lose: Answer = ({ graph }) => {
      graph.upstream = {};
      throw AWAY;
    };
    const { record, streams, result } = readingOf(
      { key: 'agent' },
      noted,
      lose,
      (servers) => {
        record.ref = { runId: 'r', after: 4, continues: true };
        return lose(servers);
      },
      () => ({ status: 'completed', text: 'whole' }),
    );
    expect(await result()).toMatchObject({ content: [{ type: 'text', text: 'whole' }] });
    expect(streams).toEqual([false, false, true]);
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
