import { randomBytes } from 'node:crypto';
import { beforeEach, describe, expect, it } from 'vitest';
import { LoginPages } from '../../auth/connect/login-pages.ts';
import { ConnectRequests } from '../../auth/connect/requests.ts';
import { MemoryLogins } from '../../auth/connect/testing/memory-logins.ts';
import type { Caller } from '../../core/caller.ts';
import { RPC, SwitchboardError, toRpcError } from '../../core/errors.ts';
import { memoryState } from '../../state/memory/memory-state.ts';
import type { Era } from '../../wire/eras.ts';
import type { JsonObject, Notification } from '../../wire/jsonrpc.ts';
import { Relay } from '../relay.ts';
import { fakeCaller, fakeFederation, fakeServer, inbound, json, silent } from '../testing/fakes.ts';

const BASE = 'https://gate.example';
const URL_MODE = { elicitation: { form: {}, url: {} } };

let logins: MemoryLogins;
let ran: string[];

beforeEach(() => {
  logins = new MemoryLogins();
  ran = [];
});

function start({ era = 'modern', waitMs = 10_000 }: { era?: Era; waitMs?: number } = {}) {
  const mail = fakeServer('mail', era, async (method, _params, call) => {
    const account = logins.require(call.caller.identity, 'mail');
    ran.push(`${method} as ${account}`);
    return { value: { content: [{ type: 'text', text: account }] } };
  });
  const federation = fakeFederation([mail]);
  const state = memoryState(silent);
  const requests = new ConnectRequests(state.kv, randomBytes(32));
  const pages = new LoginPages({ logins, requests, base: () => BASE, ready: async () => {} });
  const relay = new Relay({ federation, log: silent, logins: pages, loginWaitMs: waitMs });
  const handle = (caller: Caller, params: JsonObject = {}, method = 'tools/call') =>
    relay.handle(inbound(federation.all, caller, method, { ...named[method], ...params })).result;
  const call = async (caller: Caller, params: JsonObject = {}, method = 'tools/call') =>
    json(await handle(caller, params, method));
  return { relay, federation, requests, handle, call };
}

const named: Record<string, JsonObject> = {
  'tools/call': { name: 'mail__read', arguments: {} },
  'prompts/get': { name: 'mail__digest' },
  'resources/read': { uri: 'mail+mail://inbox' },
  'completion/complete': { ref: { type: 'ref/prompt', name: 'mail__digest' }, argument: { name: 'a', value: '' } },
};

interface Round extends JsonObject {
  inputRequests: { login: { method: string; params: JsonObject } };
  requestState: string;
}

const accept = ({ requestState }: Round, action = 'accept'): JsonObject => ({
  requestState,
  inputResponses: { login: { action } },
});

const idIn = (url: unknown): string => String(url).slice(`${BASE}/connect/`.length);

describe.each(['modern', 'legacy'] as const)('a call of a modern client that needs a login to a %s server', (era) => {
  const ada = fakeCaller('modern', { capabilities: URL_MODE });

  it.each(['tools/call', 'prompts/get', 'resources/read'])(
    'sends its person to a page, and %s goes on when they return',
    async (method) => {
      const { call } = start({ era });
      const round = (await call(ada, {}, method)) as Round;
      expect(round).toMatchObject({
        resultType: 'input_required',
        inputRequests: {
          login: {
            method: 'elicitation/create',
            params: {
              mode: 'url',
              url: expect.stringMatching(/^https:\/\/gate\.example\/connect\/[\w-]{22}$/),
              message: expect.stringMatching(/'mail'.* [A-Z]{4}-[A-Z]{4} /),
            },
          },
        },
      });
      expect(ran).toEqual([]);
      const retry = call(ada, accept(round), method);
      logins.loggedIn('local', 'mail', 'ada');
      await retry;
      expect(ran).toEqual([`${method} as ada`]);
    },
  );

  it('asks again with the same page where the retry comes before the login has ended, and runs once', async () => {
    const { call } = start({ era, waitMs: 1 });
    const first = (await call(ada)) as Round;
    const second = (await call(ada, accept(first))) as Round;
    expect(second.inputRequests).toEqual(first.inputRequests);
    logins.loggedIn('local', 'mail', 'ada');
    expect(await call(ada, accept(second))).toMatchObject({ content: [{ text: 'ada' }] });
    expect(ran).toEqual(['tools/call as ada']);
  });

  it('goes on at once where the login ended before the retry', async () => {
    const { call, requests } = start({ era });
    const round = (await call(ada)) as Round;
    await requests.finish(idIn(round.inputRequests.login.params.url));
    logins.accounts.set('local mail', 'ada');
    await call(ada, accept(round));
    expect(ran).toEqual(['tools/call as ada']);
  });

  it('ends where the person declines, and no other request or principal can use its state', async () => {
    const { call } = start({ era, waitMs: 1 });
    const round = (await call(ada)) as Round;
    await expect(call(ada, accept(round, 'decline'))).rejects.toMatchObject({ code: 'SWB_ASK_REFUSED' });
    const bob = fakeCaller('modern', { principal: 'bob', capabilities: URL_MODE });
    for (const [caller, params] of [
      [bob, accept(round)],
      [ada, { ...accept(round), arguments: { other: true } }],
      [ada, { ...accept(round), requestState: `${round.requestState}x` }],
    ] as const) {
      await expect(call(caller, params)).rejects.toMatchObject({ code: 'SWB_INVALID_PARAMS' });
    }
    expect(ran).toEqual([]);
  });

  it('holds nothing while its person logs in, and its retry ends with its client', async () => {
    const { relay, federation } = start({ era });
    const round = json(await relay.handle(inbound(federation.all, ada, 'tools/call', named['tools/call'])).result);
    const params = { ...named['tools/call'], ...accept(round as Round) };
    const retry = relay.handle(inbound(federation.all, ada, 'tools/call', params));
    retry.cancel();
    await expect(retry.result).rejects.toMatchObject({ code: 'SWB_CANCELLED' });
    await relay.close();
  });

  it('is a tool’s error that says where to log in, for a client that opens no pages', async () => {
    const { call } = start({ era });
    const result = await call(fakeCaller('modern', { capabilities: { elicitation: {} } }));
    const [{ text }] = result.content as [{ text: string }];
    expect(result.isError).toBe(true);
    expect(text).toMatch(/https:\/\/gate\.example\/connect\/[\w-]{22} – or run 'switchboard connections connect mail'/);
    expect(text).toMatch(/[A-Z]{4}-[A-Z]{4}/);
    expect(result._meta).toMatchObject({
      'switchboard/error': { code: 'SWB_LOGIN_NEEDED', server: 'mail', url: expect.stringContaining('/connect/') },
    });
  });
});

describe('a call of a client of 2025-11-25 that needs a login', () => {
  const told: Notification[] = [];
  const session = (caller: Caller, view: never) => ({
    id: 's1',
    view,
    caller,
    notify: (sent: Notification) => void told.push(sent),
  });

  it.each([
    ['declares URL elicitation', { capabilities: URL_MODE }],
    [
      'is known to open pages',
      { capabilities: { elicitation: {} }, clientInfo: { name: 'claude-code', version: '2' } },
    ],
  ])('is error -32042 for one that %s, which is told of the end', async (_what, client) => {
    told.length = 0;
    const { relay, federation, handle } = start();
    const ada = fakeCaller('legacy', { key: 's1', ...client });
    relay.openSession(session(ada, federation.all as never));
    const error = await handle(ada).catch((thrown: unknown) => thrown);
    const { code, data, message } = toRpcError(error) as { code: number; message: string; data: JsonObject };
    expect(code).toBe(RPC.urlElicitationRequired);
    const [page] = data.elicitations as [JsonObject];
    expect(page).toMatchObject({ mode: 'url', url: `${BASE}/connect/${page.elicitationId}` });
    expect(page.message).not.toContain('http');
    // A client that does not know the error shows its message.
    expect(message).toContain(page.url);
    logins.loggedIn('bob', 'mail', 'bob');
    logins.loggedIn('local', 'files', 'ada');
    await new Promise(setImmediate);
    expect(told).toEqual([]);
    logins.loggedIn('local', 'mail', 'ada');
    logins.loggedIn('local', 'mail', 'ada');
    await new Promise(setImmediate);
    expect(told).toEqual([
      { jsonrpc: '2.0', method: 'notifications/elicitation/complete', params: { elicitationId: page.elicitationId } },
    ]);
    await handle(ada);
    expect(ran).toEqual(['tools/call as ada']);
  });

  it.each([
    ['forms only', { capabilities: { elicitation: {} } }],
    ['nothing', { capabilities: {} }],
    ['an earlier revision', { capabilities: URL_MODE, protocolVersion: '2025-06-18' }],
  ])('is a tool’s error for one that declares %s, and an error of any other request', async (_what, client) => {
    const { call, handle } = start();
    const ada = fakeCaller('legacy', client);
    expect(await call(ada)).toMatchObject({ isError: true, content: [{ text: expect.stringContaining(BASE) }] });
    const error = await handle(ada, {}, 'prompts/get').catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(SwitchboardError);
    expect(toRpcError(error)).toMatchObject({ code: -31023, message: expect.stringContaining(BASE) });
  });
});

it('a completion that needs a login is an error that says how', async () => {
  const { handle } = start();
  const ada = fakeCaller('modern', { capabilities: URL_MODE });
  await expect(handle(ada, {}, 'completion/complete')).rejects.toMatchObject({ code: 'SWB_LOGIN_NEEDED' });
});
