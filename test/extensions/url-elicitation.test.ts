/** The error with which a server of 2025-11-25 has a page opened first (-32042), for clients of either era. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type OwnGateway, startReadyGateway } from '../e2e/gateway.ts';
import { inSession, modernRequest, openSession, send } from '../e2e/raw.ts';
import { EVERYTHING, type EverythingServer, startEverything } from '../e2e/upstreams/everything.ts';

type Json = Record<string, unknown>;

const URL_MODE = { elicitation: { form: {}, url: {} } };
const PAGE = 'https://modelcontextprotocol.io';

let web: EverythingServer;
let gateway: OwnGateway;

beforeAll(async () => {
  web = await startEverything();
  gateway = await startReadyGateway({ servers: { everything: EVERYTHING, web: { url: web.url } } });
});
afterAll(async () => {
  await gateway?.close();
  await web?.kill();
});

let ids = 0;

/** The tool refuses the first call with these arguments, and lets the next one through. */
const call = (server: string, url: string) => ({
  name: `${server}__trigger-url-elicitation`,
  arguments: { url, message: 'Please sign in.', elicitationId: 'login', errorPath: true },
});

const modern = async (params: Json, capabilities: object = URL_MODE) =>
  (await send(gateway.url, modernRequest('tools/call', params, { id: ++ids, capabilities }))).message;

interface Round extends Json {
  inputRequests: Record<string, { method: string; params: Json }>;
  requestState: string;
}

const accept = ({ inputRequests, requestState }: Round, action = 'accept'): Json => ({
  inputResponses: Object.fromEntries(Object.keys(inputRequests).map((key) => [key, { action }])),
  requestState,
});

describe.each(['everything', 'web'])('a page that the server %s wants to be opened first', (server) => {
  it('is a round of input for a modern client, whose retry is the call again', async () => {
    const params = call(server, 'https://example.com/modern');
    const first = (await modern(params)).result as Round;
    expect(first.resultType).toBe('input_required');
    expect(Object.values(first.inputRequests)).toEqual([
      {
        method: 'elicitation/create',
        params: {
          mode: 'url',
          url: PAGE,
          message: expect.stringContaining('Open this link'),
          elicitationId: expect.any(String),
        },
      },
    ]);
    // The call itself asks for another page, by a question.
    const second = (await modern({ ...params, ...accept(first) })).result as Round;
    expect(Object.values(second.inputRequests)).toMatchObject([
      { params: { mode: 'url', url: 'https://example.com/modern', message: 'Please sign in.' } },
    ]);
    const done = (await modern({ ...params, ...accept(second) })).result as { content: { text: string }[] };
    expect(done.content[0]?.text).toContain('User completed the URL elicitation flow.');
  });

  it('reaches a legacy client as the server’s own error', async () => {
    const session = await openSession(gateway.url, URL_MODE);
    const { status, message } = await send(
      gateway.url,
      inSession(session, 'tools/call', call(server, 'https://example.com/legacy')),
    );
    expect([status, message.error]).toEqual([
      200,
      {
        code: -32042,
        message: expect.stringContaining('This request requires browser-based authorization.'),
        data: {
          elicitations: [
            {
              mode: 'url',
              url: PAGE,
              message: expect.stringContaining('Open this link'),
              elicitationId: expect.any(String),
            },
          ],
        },
      },
    ]);
  });
});

it('a modern client without URL elicitation gets the missing capability', async () => {
  for (const capabilities of [{}, { elicitation: {} }, { elicitation: { form: {} } }]) {
    const { error } = await modern(call('everything', `https://example.com/${++ids}`), capabilities);
    expect(error).toMatchObject({ code: -32021, data: { requiredCapabilities: { elicitation: { url: {} } } } });
  }
});

it('a declined page ends the call, and no other request can use the round', async () => {
  const params = call('everything', 'https://example.com/declined');
  const round = (await modern(params)).result as Round;
  expect((await modern({ ...params, ...accept(round, 'decline') })).error).toMatchObject({
    data: { code: 'SWB_ASK_REFUSED' },
  });
  for (const wrong of [
    { ...params, ...accept(round), requestState: `${round.requestState}x` },
    { ...call('everything', 'https://example.com/other'), ...accept(round) },
  ]) {
    expect((await modern(wrong)).error).toMatchObject({ code: -32602 });
  }
});
