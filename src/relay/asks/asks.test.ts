import { describe, expect, it, vi } from 'vitest';
import type { Call } from '../../core/call.ts';
import { UpstreamError } from '../../core/errors.ts';
import type { Reply } from '../../core/upstream.ts';
import { newReplicaId, routeOf } from '../../state/replica.ts';
import type { JsonObject } from '../../wire/jsonrpc.ts';
import { Relay } from '../relay.ts';
import { fakeCaller, fakeChannel, fakeFederation, fakeServer, inbound, json, silent } from '../testing/fakes.ts';
import type { Channel } from '../types.ts';
import { ownSealing } from './request-state.ts';

/** With another character in its MAC: two fixed ones at its end are the right ones once in a thousand times. */
const tampered = (state: string): string =>
  `${state.slice(0, -4)}${state.at(-4) === 'A' ? 'B' : 'A'}${state.slice(-3)}`;

const form = { elicitation: {} };
const elicit = {
  method: 'elicitation/create' as const,
  params: { message: 'who?', requestedSchema: { type: 'object' } },
};
const suspension = { maxSuspended: 3, maxSuspendedPerPrincipal: 2, ttlMs: 60_000, gatherMs: 5 };

/** An upstream that pushes its questions, as legacy servers and agents do. */
const pushes = async (_m: string, params: JsonObject, call: Call): Promise<Reply> => {
  const count = Number((params.arguments as JsonObject | undefined)?.asks ?? 1);
  const answers = await Promise.all(Array.from({ length: count }, () => call.ask(elicit)));
  return { value: { content: [], answers } };
};

function setup(
  era: 'legacy' | 'modern',
  answering: (m: string, p: JsonObject, c: Call) => Promise<Reply>,
  config = {},
  sealing = ownSealing(),
) {
  const federation = fakeFederation([fakeServer('one', era, answering, config)]);
  return { relay: new Relay({ federation, log: silent, suspension, sealing, drainMs: 50 }), view: federation.all };
}

describe('a legacy client and an upstream that pushes', () => {
  it('is asked on the stream of its own call', async () => {
    const { relay, view } = setup('legacy', pushes);
    const ask = vi.fn<NonNullable<Channel['ask']>>(async () => ({ action: 'accept', content: { name: 'ada' } }));
    const caller = fakeCaller('legacy', { capabilities: form });
    const answer = await relay.handle(inbound(view, caller, 'tools/call', { name: 'one__x' }, fakeChannel(ask))).result;
    expect(ask).toHaveBeenCalledExactlyOnceWith(elicit);
    expect(json(answer).answers).toEqual([{ action: 'accept', content: { name: 'ada' } }]);
  });

  it('is never asked for what it did not declare', async () => {
    const { relay, view } = setup('legacy', pushes);
    const ask = vi.fn(async () => ({}));
    const request = inbound(view, fakeCaller('legacy'), 'tools/call', { name: 'one__x' }, fakeChannel(ask));
    await expect(relay.handle(request).result).rejects.toMatchObject({ code: 'SWB_ASK_REFUSED' });
    expect(ask).not.toHaveBeenCalled();
  });

  it('holds no place in the queue and does not run out of time while a person thinks', async () => {
    const { relay, view } = setup('legacy', pushes, { concurrency: 1, timeoutMs: 60 });
    const person = Promise.withResolvers<JsonObject>();
    const caller = fakeCaller('legacy', { capabilities: form });
    const slow = relay.handle(
      inbound(
        view,
        caller,
        'tools/call',
        { name: 'one__x' },
        fakeChannel(() => person.promise),
      ),
    );
    const quick = await relay.handle(
      inbound(
        view,
        caller,
        'tools/call',
        { name: 'one__y' },
        fakeChannel(async () => ({ action: 'decline' })),
      ),
    ).result;
    expect(json(quick).answers).toEqual([{ action: 'decline' }]);
    // Longer than the call's own limit.
    await new Promise((next) => setTimeout(next, 90));
    person.resolve({ action: 'cancel' });
    expect(json(await slow.result).answers).toEqual([{ action: 'cancel' }]);
  });
});

describe('a legacy client that answers an ask of a modern upstream with an error', () => {
  const refuses = async (method: string): Promise<unknown> => {
    const { relay, view } = setup('modern', async () => ({
      inputRequired: { resultType: 'input_required', inputRequests: { who: elicit }, requestState: 's' },
    }));
    const ask = vi.fn(async () => {
      throw new UpstreamError({ code: -32601, message: 'Method not found' });
    });
    const caller = fakeCaller('legacy', { capabilities: form });
    return json(await relay.handle(inbound(view, caller, method, { name: 'one__x' }, fakeChannel(ask))).result);
  };

  it('gets a tool result with the cause, as from a server that asks it directly', async () => {
    expect(await refuses('tools/call')).toMatchObject({
      isError: true,
      content: [{ type: 'text', text: 'The client cannot give the input: MCP error -32601: Method not found' }],
    });
  });

  it('gets its error back for anything that is no tool', async () => {
    await expect(refuses('prompts/get')).rejects.toMatchObject({ rpcCode: -32601 });
  });
});

describe('a legacy client and an upstream that returns input_required', () => {
  it('is asked round by round; the state goes back exactly as it came', async () => {
    const seen: JsonObject[] = [];
    const { relay, view } = setup('modern', async (_m, params) => {
      seen.push(structuredClone(params));
      params.mutated = true;
      if (seen.length === 1) {
        return {
          inputRequired: {
            resultType: 'input_required',
            inputRequests: { a: elicit, b: elicit },
            requestState: 's/1=',
          },
        };
      }
      if (seen.length === 2) return { inputRequired: { resultType: 'input_required', inputRequests: { c: elicit } } };
      return { raw: Buffer.from('{"resultType":"complete","content":[]}') };
    });
    let n = 0;
    const ask = async (): Promise<JsonObject> => ({ action: 'accept', content: { n: ++n } });
    const caller = fakeCaller('legacy', { capabilities: form });
    const answer = await relay.handle(inbound(view, caller, 'tools/call', { name: 'one__x', k: 1 }, fakeChannel(ask)))
      .result;
    const accept = (value: number) => ({ action: 'accept', content: { n: value } });
    expect(seen).toEqual([
      { name: 'x', k: 1 },
      { name: 'x', k: 1, requestState: 's/1=', inputResponses: { a: accept(1), b: accept(2) } },
      { name: 'x', k: 1, inputResponses: { c: accept(3) } },
    ]);
    expect('raw' in answer && answer.raw.toString()).toBe('{"content":[]}');
  });

  it('gives up on an upstream that asks without end', async () => {
    const { relay, view } = setup('modern', async () => ({
      inputRequired: { resultType: 'input_required', inputRequests: { a: elicit }, requestState: 's' },
    }));
    const caller = fakeCaller('legacy', { capabilities: form });
    const request = inbound(
      view,
      caller,
      'tools/call',
      { name: 'one__x' },
      fakeChannel(async () => ({ action: 'accept' })),
    );
    await expect(relay.handle(request).result).rejects.toMatchObject({ code: 'SWB_UPSTREAM_PROTOCOL' });
  });
});

describe('a modern client and a modern upstream', () => {
  const elicitation = '{"method":"elicitation/create","params":{"message":"who?","requestedSchema":{"type":"object"}}}';
  const interim = `{"x": 1.0, "resultType":"input_required","requestState":"theirs/\\u0041=","inputRequests":{"k":${elicitation}}}`;
  const answers = { k: { action: 'accept' } };

  /** Asks in the first round; `seen` has the params of every request. */
  function asking(sealing = ownSealing(), result = interim) {
    const seen: JsonObject[] = [];
    const own = setup(
      'modern',
      async (_m, params) => {
        seen.push(structuredClone(params));
        if (params.requestState !== undefined) return { raw: Buffer.from('{"resultType":"complete","content":[]}') };
        return { inputRequired: JSON.parse(result) as JsonObject, raw: Buffer.from(result) };
      },
      {},
      sealing,
    );
    const send = async (params: JsonObject, who: Parameters<typeof fakeCaller>[1] = {}) =>
      own.relay.handle(
        inbound(own.view, fakeCaller('modern', { capabilities: form, ...who }), 'tools/call', {
          name: 'one__x',
          ...params,
        }),
      ).result;
    const ask = async (who: Parameters<typeof fakeCaller>[1] = {}): Promise<string> =>
      json(await send({}, who)).requestState as string;
    return { seen, send, ask };
  }

  it('receive each other’s messages unchanged but for the state, which comes back exactly', async () => {
    const { seen, send } = asking();
    const asked = await send({});
    const bytes = 'raw' in asked ? asked.raw.toString() : '';
    const { requestState } = JSON.parse(bytes) as { requestState: string };
    expect(requestState).toMatch(/^swbm1\./);
    expect(bytes).toBe(
      `{"x": 1.0,"resultType":"input_required","requestState":"${requestState}","inputRequests":{"k":${elicitation}}}`,
    );
    const done = await send({ requestState, inputResponses: answers });
    expect('raw' in done && done.raw.toString()).toBe('{"resultType":"complete","content":[]}');
    expect(seen).toEqual([{ name: 'x' }, { name: 'x', requestState: 'theirs/A=', inputResponses: answers }]);
  });

  it.each<[string, (state: string) => string, JsonObject, JsonObject]>([
    ['of another principal', (state) => state, {}, { principal: 'mallory' }],
    ['for other arguments', (state) => state, { arguments: { to: 'mallory' } }, {}],
    ['for another tool', (state) => state, { name: 'one__other' }, {}],
    ['tampered with', tampered, {}, {}],
    ['of the server itself', () => 'theirs/A=', {}, {}],
    ['taken for a suspended call’s', (state) => state.replace('swbm1.', 'swb1.'), {}, {}],
    ['taken for that of a page to open', (state) => state.replace('swbm1.', 'swbu1.'), {}, {}],
  ])('are kept apart: a state %s does not reach the server', async (_what, bend, params, who) => {
    const { seen, send, ask } = asking();
    const requestState = bend(await ask());
    await expect(send({ ...params, requestState, inputResponses: answers }, who)).rejects.toMatchObject({
      code: 'SWB_INVALID_PARAMS',
      rpcCode: -32602,
    });
    expect(seen).toHaveLength(1);
  });

  it('go on at any replica that has the secret, and at no other gateway', async () => {
    const sealing = ownSealing();
    const requestState = await asking(sealing).ask();
    const other = asking({ ...sealing, replica: newReplicaId() });
    await other.send({ requestState, inputResponses: answers });
    expect(other.seen).toEqual([{ name: 'x', requestState: 'theirs/A=', inputResponses: answers }]);
    await expect(asking().send({ requestState, inputResponses: answers })).rejects.toMatchObject({ rpcCode: -32602 });
  });

  it('never meet in an ask the client did not declare: the server receives a decline, the client an error', async () => {
    const { seen, send } = asking();
    await expect(send({}, { capabilities: {} })).rejects.toMatchObject({
      code: 'SWB_MISSING_CLIENT_CAPABILITY',
      rpcCode: -32021,
      data: { requiredCapabilities: { elicitation: {} } },
    });
    expect(seen).toEqual([
      { name: 'x' },
      { name: 'x', requestState: 'theirs/A=', inputResponses: { k: { action: 'decline' } } },
    ]);
  });

  it('need every capability the server asks for; what cannot be declined is not sent again', async () => {
    const roots = `{"resultType":"input_required","requestState":"s","inputRequests":{"k":${elicitation},"r":{"method":"roots/list"}}}`;
    const { seen, send } = asking(ownSealing(), roots);
    await expect(send({})).rejects.toMatchObject({ rpcCode: -32021, data: { requiredCapabilities: { roots: {} } } });
    expect(seen).toHaveLength(1);
    expect(json(await send({}, { capabilities: { ...form, roots: {} } })).resultType).toBe('input_required');
  });
});

describe('a legacy client of a modern upstream that asks for what it did not declare', () => {
  it('receives the error; the server receives a decline', async () => {
    const seen: JsonObject[] = [];
    const { relay, view } = setup('modern', async (_m, params) => {
      seen.push(structuredClone(params));
      return { inputRequired: { resultType: 'input_required', inputRequests: { a: elicit }, requestState: 's' } };
    });
    const ask = vi.fn(async () => ({}));
    const request = inbound(view, fakeCaller('legacy'), 'tools/call', { name: 'one__x' }, fakeChannel(ask));
    expect(json(await relay.handle(request).result)).toEqual({
      content: [{ type: 'text', text: 'Client does not support form elicitation.' }],
      isError: true,
    });
    expect(ask).not.toHaveBeenCalled();
    expect(seen).toEqual([
      { name: 'x' },
      { name: 'x', requestState: 's', inputResponses: { a: { action: 'decline' } } },
    ]);
  });
});

it('a legacy client of a modern upstream that refuses a tool for want of an ask gets a tool result in its words', async () => {
  const error = (requiredCapabilities: JsonObject) =>
    new UpstreamError({ code: -32021, message: 'Cannot ask.', data: { requiredCapabilities } });
  const fail = (thrown: Error, method: string, params: JsonObject) => {
    const { relay, view } = setup('modern', () => Promise.reject(thrown));
    return relay.handle(inbound(view, fakeCaller('legacy'), method, params)).result;
  };
  const lacking = error({ sampling: {} });
  expect(json(await fail(lacking, 'tools/call', { name: 'one__x' }))).toEqual({
    content: [{ type: 'text', text: 'Cannot ask.' }],
    isError: true,
  });
  // Tools alone can fail this way, and only asks are what a client can do without.
  await expect(fail(lacking, 'resources/read', { uri: 'one+demo://r' })).rejects.toMatchObject({ rpcCode: -32021 });
  await expect(fail(error({ other: {} }), 'tools/call', { name: 'one__x' })).rejects.toMatchObject({ rpcCode: -32021 });
});

describe('a modern client and an upstream that pushes', () => {
  const caller = fakeCaller('modern', { capabilities: form });
  const call = (asks = 1): JsonObject => ({ name: 'one__x', arguments: { asks } });
  type Suspended = { inputRequests: Record<string, JsonObject>; requestState: string };

  async function suspend(own: ReturnType<typeof setup>, params = call(), who = caller): Promise<Suspended> {
    const result = json(await own.relay.handle(inbound(own.view, who, 'tools/call', params)).result);
    expect(result.resultType).toBe('input_required');
    return result as unknown as Suspended;
  }

  const retry = (own: ReturnType<typeof setup>, state: string, responses: JsonObject, params = call(), who = caller) =>
    own.relay.handle(
      inbound(own.view, who, 'tools/call', { ...params, requestState: state, inputResponses: responses }),
    ).result;

  it('is answered input_required, and its retry resumes the very same call', async () => {
    const answering = vi.fn(pushes);
    const own = setup('legacy', answering);
    const suspended = await suspend(own);
    const [key] = Object.keys(suspended.inputRequests) as [string];
    expect(suspended.inputRequests[key]).toEqual(elicit);
    const answer = json(await retry(own, suspended.requestState, { [key]: { action: 'accept' } }));
    expect(answer).toMatchObject({ resultType: 'complete', answers: [{ action: 'accept' }] });
    expect(answering).toHaveBeenCalledTimes(1);
  });

  it('gets several input requests in one round, and again those it left open, under a new state', async () => {
    const own = setup('legacy', pushes);
    const first = await suspend(own, call(3));
    const keys = Object.keys(first.inputRequests) as [string, string, string];
    expect(keys).toHaveLength(3);
    const answered = { [keys[0]]: { action: 'accept' }, [keys[1]]: 'nonsense', unknown: { action: 'accept' } };
    const second = json(await retry(own, first.requestState, answered, call(3))) as unknown as Suspended;
    expect(Object.keys(second.inputRequests)).toEqual([keys[1], keys[2]]);
    expect(second.requestState).not.toBe(first.requestState);
    const rest = { [keys[1]]: { action: 'decline' }, [keys[2]]: { action: 'cancel' } };
    const done = json(await retry(own, second.requestState, rest, call(3)));
    expect(done.answers).toEqual([{ action: 'accept' }, { action: 'decline' }, { action: 'cancel' }]);
  });

  it.each([
    ['tampered with', tampered, {}, {}],
    ['cut short', (state: string) => state.slice(0, 20), {}, {}],
    ['of another principal', (state: string) => state, {}, { principal: 'mallory' }],
    ['for other arguments', (state: string) => state, { arguments: { asks: 2 } }, {}],
    ['for another tool', (state: string) => state, { name: 'one__other' }, {}],
  ])('is refused with a state %s, and the suspended call is unharmed', async (_what, bend, params, who) => {
    const own = setup('legacy', pushes);
    const suspended = await suspend(own);
    const bad = retry(own, bend(suspended.requestState), {}, { ...call(), ...params }, { ...caller, ...who });
    await expect(bad).rejects.toMatchObject({ code: 'SWB_INVALID_PARAMS', rpcCode: -32602 });
    const [key] = Object.keys(suspended.inputRequests) as [string];
    expect(json(await retry(own, suspended.requestState, { [key]: { action: 'accept' } }))).toMatchObject({
      answers: [{ action: 'accept' }],
    });
  });

  it('sends the server no responses it did not ask for, and no state', async () => {
    const seen: JsonObject[] = [];
    const own = setup('legacy', async (_m, params) => {
      seen.push(params);
      return { value: {} };
    });
    const unasked = { ...call(), inputResponses: { name: { action: 'accept' } } };
    await own.relay.handle(inbound(own.view, caller, 'tools/call', unasked)).result;
    expect(seen).toEqual([{ ...call(), name: 'x' }]);
    const foreign = own.relay.handle(inbound(own.view, caller, 'tools/call', { ...call(), requestState: 'theirs' }));
    await expect(foreign.result).rejects.toMatchObject({ code: 'SWB_INVALID_PARAMS' });
    expect(seen).toHaveLength(1);
  });

  it('gets different errors for a call that ended with a restart and for a state of another gateway', async () => {
    const sealing = ownSealing();
    const own = setup('legacy', pushes, {}, sealing);
    const { requestState } = await suspend(own);
    expect(routeOf(requestState)).toBe(sealing.replica);
    const restarted = setup('legacy', pushes, {}, { ...sealing, replica: newReplicaId() });
    await expect(retry(restarted, requestState, {})).rejects.toMatchObject({
      rpcCode: -32602,
      message: 'params.requestState has expired; make the call again without it.',
    });
    await expect(retry(setup('legacy', pushes), requestState, {})).rejects.toMatchObject({
      rpcCode: -32602,
      message: 'params.requestState is not valid for this request.',
    });
  });

  it('cannot use a state twice', async () => {
    const own = setup('legacy', pushes);
    const suspended = await suspend(own);
    const [key] = Object.keys(suspended.inputRequests) as [string];
    const responses = { [key]: { action: 'accept' } };
    const both = await Promise.allSettled([
      retry(own, suspended.requestState, responses),
      retry(own, suspended.requestState, responses),
    ]);
    expect(both.map((r) => r.status).sort()).toEqual(['fulfilled', 'rejected']);
    await expect(retry(own, suspended.requestState, responses)).rejects.toMatchObject({ code: 'SWB_INVALID_PARAMS' });
  });

  it('leaves nothing behind when it never returns: the upstream call is cancelled when its time is up', async () => {
    const ended = vi.fn();
    const federation = fakeFederation([
      fakeServer('one', 'legacy', async (m, p, c) => {
        c.onAbort(ended);
        return pushes(m, p, c);
      }),
    ]);
    const relay = new Relay({ federation, log: silent, suspension: { ...suspension, ttlMs: 30 } });
    const own = { relay, view: federation.all };
    const suspended = await suspend(own);
    await vi.waitFor(() => expect(ended).toHaveBeenCalledTimes(1));
    expect(ended.mock.calls[0]?.[0]).toMatchObject({ code: 'SWB_CALL_TIMEOUT' });
    await expect(retry(own, suspended.requestState, {})).rejects.toMatchObject({ code: 'SWB_INVALID_PARAMS' });
  });

  it('is not asked beyond the number of calls that may be suspended', async () => {
    const own = setup('legacy', pushes);
    await suspend(own);
    await suspend(own);
    const third = own.relay.handle(inbound(own.view, caller, 'tools/call', call())).result;
    await expect(third).rejects.toMatchObject({ code: 'SWB_ASK_REFUSED' });
    await suspend(own, call(), { ...caller, principal: 'somebody else' });
  });

  it('receives the outcome on its retry when the upstream ended in the meantime', async () => {
    const end = Promise.withResolvers<Reply>();
    const own = setup('legacy', async (_m, _p, c) => {
      c.ask(elicit).catch(() => {});
      return end.promise;
    });
    const suspended = await suspend(own);
    end.resolve({ value: { content: [], early: true } });
    await end.promise;
    expect(json(await retry(own, suspended.requestState, {}))).toMatchObject({ resultType: 'complete', early: true });
  });

  it('receives progress on the retry, under the retry’s token', async () => {
    const own = setup('legacy', async (_m, _p, c) => {
      await c.ask(elicit);
      c.notify({ jsonrpc: '2.0', method: 'notifications/progress', params: { progress: 2 } });
      return { value: {} };
    });
    const suspended = await suspend(own);
    const [key] = Object.keys(suspended.inputRequests) as [string];
    const channel = fakeChannel();
    const params = {
      ...call(),
      requestState: suspended.requestState,
      inputResponses: { [key]: {} },
      _meta: { progressToken: 9 },
    };
    await own.relay.handle(inbound(own.view, caller, 'tools/call', params, channel)).result;
    expect(channel.sent.map((n) => n.params)).toEqual([{ progress: 2, progressToken: 9 }]);
  });

  it('cancels the resumed call by ending the request that resumed it', async () => {
    const ended = vi.fn();
    const own = setup('legacy', async (_m, _p, c) => {
      await c.ask(elicit);
      c.onAbort(ended);
      return new Promise((_, reject) => c.onAbort(reject));
    });
    const suspended = await suspend(own);
    const [key] = Object.keys(suspended.inputRequests) as [string];
    const params = { ...call(), requestState: suspended.requestState, inputResponses: { [key]: {} } };
    const flight = own.relay.handle(inbound(own.view, caller, 'tools/call', params));
    await new Promise((next) => setImmediate(next));
    flight.cancel();
    await expect(flight.result).rejects.toMatchObject({ code: 'SWB_CANCELLED' });
    await vi.waitFor(() => expect(ended).toHaveBeenCalledTimes(1));
  });
});
