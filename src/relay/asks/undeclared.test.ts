import { describe, expect, it } from 'vitest';
import type { Call } from '../../core/call.ts';
import { UpstreamError } from '../../core/errors.ts';
import type { Reply } from '../../core/upstream.ts';
import type { JsonObject } from '../../wire/jsonrpc.ts';
import { Relay } from '../relay.ts';
import { fakeCaller, fakeFederation, fakeServer, inbound, json, silent } from '../testing/fakes.ts';

const sample = { method: 'sampling/createMessage' as const, params: { messages: [], tools: [] } };
const failure = (): Reply => ({
  raw: Buffer.from('{"content":[{"type":"text","text":"\\"isError\\""}],"isError":true}'),
});
const managed = (): Reply => ({ raw: Buffer.from('{"content":[{"type":"text","text":"\\"isError\\":true"}]}') });

/** A legacy server that asks for a sample, and answers with `then` when it gets none. */
function setup(then: () => Reply | Promise<Reply>) {
  const server = fakeServer('one', 'legacy', async (_method, _params, call: Call) => {
    try {
      return { value: { sampled: await call.ask(sample) } };
    } catch {
      return then();
    }
  });
  const federation = fakeFederation([server]);
  const relay = new Relay({ federation, log: silent, drainMs: 50 });
  return (era: 'legacy' | 'modern', capabilities: JsonObject) =>
    relay.handle(inbound(federation.all, fakeCaller(era, { capabilities }), 'tools/call', { name: 'one__x' })).result;
}

describe('a call that failed because its client did not declare a capability', () => {
  const upstreamError = async (): Promise<Reply> => {
    throw new UpstreamError({ code: -1, message: 'User rejected sampling request' });
  };
  it.each([
    ['in a tool result', failure, {}],
    ['in a tool result, of a client that declared something else', failure, { elicitation: {} }],
    ['in an error', upstreamError, {}],
    ['in an error, of a client that declared something else', upstreamError, { roots: {} }],
  ])('names the capability to a modern client, though the server put its failure %s', async (_what, then, caps) => {
    await expect(setup(then)('modern', caps)).rejects.toMatchObject({
      code: 'SWB_MISSING_CLIENT_CAPABILITY',
      rpcCode: -32021,
      httpStatus: 400,
      data: { requiredCapabilities: { sampling: { tools: {} } } },
    });
  });

  it('keeps the server’s own error for a legacy client', async () => {
    expect(json(await setup(failure)('legacy', {}))).toMatchObject({ isError: true });
    await expect(setup(upstreamError)('legacy', {})).rejects.toMatchObject({ rpcCode: -1 });
  });
});

describe('a call during which a server asked for roots that its client does not have', () => {
  const fails = (words: string) => async (_method: string, _params: JsonObject, call: Call) => {
    await call.ask({ method: 'roots/list', params: {} }).catch(() => {});
    return { value: { content: [{ type: 'text', text: words }], isError: true } };
  };
  const run = (words: string) => {
    const federation = fakeFederation([fakeServer('one', 'legacy', fails(words))]);
    const relay = new Relay({ federation, log: silent, drainMs: 50 });
    return relay.handle(inbound(federation.all, fakeCaller('modern'), 'tools/call', { name: 'one__x' })).result;
  };

  it('keeps the server’s own error, when that is about something else', async () => {
    expect(json(await run('ENOENT: no such file'))).toMatchObject({
      isError: true,
      content: [{ text: 'ENOENT: no such file' }],
    });
  });

  it('needs the capability, when the server says so', async () => {
    await expect(run('Client does not support roots')).rejects.toMatchObject({
      rpcCode: -32021,
      data: { requiredCapabilities: { roots: {} } },
    });
  });
});

it('the result of a server that managed without the input stands', async () => {
  const answer = json(await setup(managed)('modern', {}));
  expect(answer).toMatchObject({ resultType: 'complete', content: [{ text: '"isError":true' }] });
});
