/** Two gateways on one state folder: what they share, and how each answers for what is alive in the other. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { routeOf } from '../../src/state/replica.ts';
import { type HttpFixture, startV1Http } from '../fixtures/mcp/http.ts';
import { FIXTURES_ALLOWED, type OwnGateway, startReadyGateway } from './gateway.ts';
import { inSession, modernRequest, openSession, type RawReply, send } from './raw.ts';
import { until } from './until.ts';

type Params = Record<string, unknown>;

const MAX = 7;
const policy = {
  version: '1',
  default: 'allow',
  tools: { echo: { limits: [{ counter: 'calls', window: 'day', max: MAX }] } },
};

let upstream: HttpFixture;
let late: HttpFixture;
let one: OwnGateway;
let other: OwnGateway;

beforeAll(async () => {
  [upstream, late] = await Promise.all([startV1Http(), startV1Http()]);
  one = await startReadyGateway({ servers: { v1: { url: upstream.url, policy } }, gateway: FIXTURES_ALLOWED });
  other = await startReadyGateway({ folder: one.folder });
});
afterAll(async () => {
  await other?.stop();
  await one?.close();
  await Promise.all([upstream?.close(), late?.close()]);
});

const call = (gateway: OwnGateway, name: string, params: Params = {}): Promise<RawReply> =>
  send(
    gateway.url,
    modernRequest('tools/call', { name: `v1__${name}`, ...params }, { capabilities: { elicitation: { form: {} } } }),
  );

describe('two gateways on one state folder', () => {
  it('count a limit together, exactly', async () => {
    const replies: RawReply[] = [];
    // One counts alone at first, then both at once.
    for (const gateway of [one, one]) replies.push(await call(gateway, 'echo', { arguments: { text: 'x' } }));
    const both = Array.from({ length: 12 }, (_, i) => (i % 2 === 0 ? one : other));
    replies.push(...(await Promise.all(both.map((gateway) => call(gateway, 'echo', { arguments: { text: 'x' } })))));
    const passed = replies.filter(({ message }) => message.result && !message.result.isError);
    expect(passed).toHaveLength(MAX);
  });

  it('follow each other in servers connected at run time', async () => {
    const builtin = (gateway: OwnGateway, name: string, args: Params) =>
      send(gateway.url, modernRequest('tools/call', { name, arguments: args }));
    const connected = await builtin(one, 'connectServer', { url: late.url, name: 'late' });
    expect(connected.message.result?.isError).toBeFalsy();
    await until(
      () => other.gateway.federation.member('late')?.state === 'ready' || undefined,
      () => 'the server in the other gateway',
    );
    await builtin(other, 'disconnectServer', { name: 'late' });
    await until(
      () => one.gateway.federation.member('late') === undefined || undefined,
      () => 'the server to leave the first gateway',
    );
  });

  it('name their replica in session ids, and answer for a session of the other as for one that has ended', async () => {
    const [session, foreign] = [await openSession(one.url), await openSession(other.url)];
    expect(routeOf(session)).toBeDefined();
    expect(routeOf(session)).not.toBe(routeOf(foreign));
    expect((await send(one.url, inSession(session, 'tools/list'))).status).toBe(200);
    expect((await send(other.url, inSession(session, 'tools/list'))).status).toBe(404);
  });

  it('name their replica in the state of a suspended call, which is valid in both and alive in one', async () => {
    const asked = await call(one, 'ask', { arguments: {} });
    const requestState = String(asked.message.result?.requestState);
    const [question = ''] = Object.keys(asked.message.result?.inputRequests as Params);
    expect(routeOf(requestState)).toBe(routeOf(await openSession(one.url)));
    const retry = { arguments: {}, requestState, inputResponses: { [question]: { action: 'decline' } } };
    expect((await call(other, 'ask', retry)).message.error).toMatchObject({
      code: -32602,
      message: 'params.requestState has expired; make the call again without it.',
    });
    expect((await call(one, 'ask', retry)).message.result?.resultType).toBe('complete');
  });
});
