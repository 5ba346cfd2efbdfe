/** Runs of real servers that one process of the gateway began and another one reads on: their text, their end, and their cancelling. */
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { codeOf, resultOf } from '../../adapters/cases.ts';
import { langgraphAdapter } from '../../adapters/langgraph/index.ts';
import { type FakeCall, fakeCall } from '../../adapters/testing/call.ts';
import { fakeContext } from '../../adapters/testing/context.ts';
import { until } from '../../adapters/testing/outcome.ts';
import { SwitchboardError } from '../../src/core/errors.ts';
import type { Upstream } from '../../src/core/upstream.ts';
import type { JsonObject } from '../../src/wire/jsonrpc.ts';
import { agentCall, Talk, VERSIONS } from './talk.ts';

const ENDING = new SwitchboardError('SWB_SHUTTING_DOWN', 'The gateway is shutting down.');

/** A call that outlives the gateway, and what its `began` received. */
function lasting(): { call: FakeCall; told: JsonObject[] } {
  const told: JsonObject[] = [];
  const call = Object.assign(fakeCall({ wantsProgress: true }), { lasting: true, began: told.push.bind(told) });
  return { call, told };
}

const saidTo = ({ notifications }: FakeCall): string[] => notifications.map(({ params }) => String(params?.message));
const numbersOf = ({ notifications }: FakeCall): unknown[] => notifications.map(({ params }) => params?.progress);
const ticks = (count: number): string[] => [
  ...Array.from({ length: count }, (_, i) => `{"tick":${i + 1}}\n`),
  '\n',
  `${count} ticks`,
];

describe.each(VERSIONS)('a run of LangGraph %s that another process began', (version) => {
  let talk: Talk;
  const open: Upstream[] = [];

  beforeAll(async () => {
    talk = await Talk.start(version);
  });
  afterEach(async () => {
    for (const each of open.splice(0)) await each.close();
  });
  afterAll(() => talk?.stop());

  /** Another process of the gateway. */
  async function another(): Promise<Upstream> {
    const made = await langgraphAdapter.connect(fakeContext({ transport: 'http', url: talk.server.url, headers: {} }));
    open.push(made);
    return made;
  }

  /** Begins the slow graph in one process, which ends once it has received so much. Resolves with all it received. */
  async function left(text: string, heard: number): Promise<{ call: FakeCall; told: JsonObject[] }> {
    const { call, told } = lasting();
    const { method, params } = agentCall('slow', text, { stream: true });
    const failed = (await another()).request(method, params, call).catch(codeOf);
    await until('it has spoken', () => saidTo(call).length >= heard);
    call.abort(ENDING);
    expect(await failed).toBe('SWB_SHUTTING_DOWN');
    return { call, told };
  }

  const attach = (upstream: Upstream, run: JsonObject | undefined, call: FakeCall) =>
    upstream.request('agents/attach', { agent: 'slow', run, stream: true }, call);

  it('goes on where it was: nothing is said twice, and nothing is lost', async () => {
    const aborted = talk.count('slow aborted');
    const { call: first, told } = await left('12', 3);
    const { call: second, told: toldNext } = lasting();
    const leaving = attach(await another(), told.at(-1), second).catch(codeOf);
    await until('it speaks on', () => saidTo(second).length >= 2);
    second.abort(ENDING);
    expect(await leaving).toBe('SWB_SHUTTING_DOWN');
    const { call: third } = lasting();
    const result = resultOf(await attach(await another(), toldNext.at(-1), third));
    expect(result).toMatchObject({ status: 'completed', text: '12 ticks' });
    const calls = [first, second, third];
    expect(calls.flatMap(saidTo)).toEqual(ticks(12));
    expect(calls.flatMap(numbersOf)).toEqual(ticks(12).map((_, i) => i + 1));
    expect(talk.count('slow aborted')).toBe(aborted);
  });

  it('says the rest, and ends, where it was over before it was looked for', async () => {
    const finished = talk.count('slow finished');
    const { call: first, told } = await left('6', 2);
    await until('it is over', () => talk.count('slow finished') > finished);
    const { call } = lasting();
    expect(resultOf(await attach(await another(), told.at(-1), call))).toMatchObject({ text: '6 ticks' });
    expect([first, call].flatMap(saidTo)).toEqual(ticks(6));
  });

  it('says again what followed the last that was noted, under the numbers it had, where the process was killed', async () => {
    const { told } = await left('4', 3);
    // Noted when the run began; the process had no time for more.
    const [noted] = told;
    const { call } = lasting();
    await attach(await another(), noted, call);
    expect(saidTo(call)).toEqual(ticks(4));
    expect(numbersOf(call)).toEqual(ticks(4).map((_, i) => i + 1));
  });

  it('is only waited for where its call wanted no text', async () => {
    const { call, told } = lasting();
    const { method, params } = agentCall('slow', '5');
    const failed = (await another()).request(method, params, call).catch(codeOf);
    await until('it has begun', () => told.length > 0);
    call.abort(ENDING);
    expect(await failed).toBe('SWB_SHUTTING_DOWN');
    const { call: next } = lasting();
    expect(resultOf(await attach(await another(), told.at(-1), next))).toMatchObject({ text: '5 ticks' });
    expect(saidTo(next)).toEqual([]);
  });

  it.each<[string, (call: FakeCall, upstream: Upstream) => unknown, string]>([
    ['its task is cancelled', (call) => call.abort(), 'SWB_CANCELLED'],
    ['its server is disconnected', (_, upstream) => upstream.close(), 'SWB_UPSTREAM_UNAVAILABLE'],
  ])('is cancelled at the server when %s, and its thread is removed', async (_, end, code) => {
    const aborted = talk.count('slow aborted');
    const { told } = await left('600', 2);
    const upstream = await another();
    const { call } = lasting();
    const failed = attach(upstream, told.at(-1), call).catch(codeOf);
    await until('it speaks on', () => saidTo(call).length > 0);
    await end(call, upstream);
    expect(await failed).toBe(code);
    await until('it is cancelled', () => talk.count('slow aborted') === aborted + 1);
    const status = async () => (await fetch(`${talk.server.url}/threads/${told[0]?.threadId}`)).status;
    await vi.waitFor(async () => expect(await status()).toBe(404), { timeout: 10_000, interval: 50 });
  });
});
