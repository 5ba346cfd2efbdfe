/** The audit: one line for each call and denial, with how it was decided and how it ended, and no values. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type ClientKind, Clients, type TestClient } from '../e2e/clients.ts';
import { type OwnGateway, startReadyGateway } from '../e2e/gateway.ts';
import { until } from '../e2e/until.ts';
import { type HttpFixture, startV1Http, startV2Http } from '../fixtures/mcp/http.ts';
import { auditLines, auditText, type Json } from './gateway.ts';
import { grant } from './grants.ts';

const policy = {
  version: '1',
  default: 'allow',
  tools: {
    big: { action: 'deny' },
    touch: { limits: [{ counter: 'touches', window: 'day', max: 1, scope: 'grant' }] },
    whoami: { approve: true, approver: 'operator' },
  },
};
const KINDS = ['v1', 'v2-modern'] as const satisfies ClientKind[];
const grants = Object.fromEntries(KINDS.map((kind) => [kind, grant({ policy: { version: '1', default: 'allow' } })]));
const SECRET = 'value-that-is-nobodys-business';

let upstreams: HttpFixture[];
let gateway: OwnGateway;
const clients = new Clients();

beforeAll(async () => {
  const [v1, v2] = await Promise.all([startV1Http(), startV2Http('modern')]);
  upstreams = [v1, v2];
  gateway = await startReadyGateway({
    servers: {
      legacy: { url: v1.url, policy, concurrency: 2 },
      modern: { url: v2.url, policy, concurrency: 2 },
      legacybrief: { url: v1.url, timeoutMs: 400 },
      modernbrief: { url: v2.url, timeoutMs: 400 },
    },
    gateway: {
      audit: true,
      grants: Object.fromEntries(Object.entries(grants).map(([name, { entry }]) => [name, entry])),
    },
  });
});
afterEach(() => clients.close());
afterAll(async () => {
  await gateway?.close();
  await Promise.all((upstreams ?? []).map((upstream) => upstream.close()));
});

/** The lines that are written while this runs, once there are so many. */
async function linesOf(run: () => Promise<unknown>, count = 1): Promise<Json[]> {
  const before = auditLines(gateway).length;
  await run();
  const lines = await until(() => {
    const now = auditLines(gateway).slice(before);
    return now.length >= count && now;
  }, `${count} lines`);
  expect(lines).toHaveLength(count);
  return lines as unknown as Json[];
}

const lineOf = async (run: () => Promise<unknown>): Promise<Json> => (await linesOf(run))[0] as Json;

it('the audit hashes the arguments of a program’s own call as they were sent, whatever the program does with them then', async () => {
  const hashOf = async (args: Json, change: () => void): Promise<unknown> => {
    const line = await lineOf(async () => {
      await gateway.gateway.call('tools/call', { name: 'legacy__echo', arguments: args });
      change();
    });
    expect(line.argKeys).toEqual(['text']);
    return line.argHash;
  };
  const reused: Json = { text: 'first' };
  const changed = await hashOf(reused, () => {
    reused.text = 'second';
    reused.more = true;
  });
  expect(changed).toBe(await hashOf({ text: 'first' }, () => {}));
});

describe.each(KINDS.flatMap((kind) => ['legacy', 'modern'].map((server) => [kind, server] as const)))(
  'the audit of a %s client’s call of a %s server',
  (kind, server) => {
    let client: TestClient;
    const call = (name: string, args: Json = {}, signal?: AbortSignal) =>
      client.call(`${server}__${name}`, args, signal ? { signal } : {}).catch(() => undefined);
    const common = {
      principal: kind,
      grant: kind,
      server,
      kind: 'tools',
      method: 'tools/call',
      era: kind === 'v1' ? 'legacy' : 'modern',
    };

    const connect = async (): Promise<void> => {
      client = await clients.connect(kind, { http: gateway.url, headers: grants[kind]?.headers ?? {} });
    };

    it('records an allowed call', async () => {
      await connect();
      const line = await lineOf(() => call('echo', { text: SECRET }));
      expect(line).toMatchObject({ ...common, name: 'echo', verdict: 'allow', outcome: 'ok', argKeys: ['text'] });
      expect(line.time).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
      expect(line.queueMs).toBeGreaterThanOrEqual(0);
      expect(line.durationMs).toBeGreaterThan(line.queueMs as number);
      expect(['string', 'number']).toContain(typeof line.requestId);
      expect(line).not.toHaveProperty('errorCode');
      const [same, other] = [
        await lineOf(() => call('echo', { text: SECRET })),
        await lineOf(() => call('echo', { text: `${SECRET}2` })),
      ];
      expect(same.argHash).toBe(line.argHash);
      expect(other.argHash).not.toBe(line.argHash);
    });

    it('records a call that is denied, invalid or rate limited', async () => {
      await connect();
      expect(await lineOf(() => call('big', { bytes: 1 }))).toMatchObject({
        ...common,
        verdict: 'deny',
        outcome: 'denied',
        policy: `server:${server}`,
        rule: '/tools/big/action',
        errorCode: 'SWB_DENIED',
      });
      expect(await lineOf(() => call('echo', { text: 7, [SECRET]: SECRET }))).toMatchObject({
        verdict: 'deny',
        outcome: 'denied',
        rule: '(input schema)',
        errorCode: 'SWB_ARGUMENTS_INVALID',
      });
      expect(await lineOf(() => call('touch'))).toMatchObject({ verdict: 'allow', outcome: 'ok' });
      expect(await lineOf(() => call('touch'))).toMatchObject({
        verdict: 'deny',
        outcome: 'denied',
        rule: '/tools/touch/limits/touches',
        errorCode: 'SWB_RATE_LIMITED',
      });
    });

    it('records a call that waits for an approval', async () => {
      await connect();
      expect(await lineOf(() => call('whoami'))).toMatchObject({
        ...common,
        verdict: 'approve',
        outcome: 'pending',
        errorCode: 'SWB_APPROVAL_PENDING',
        rule: '/tools/whoami/approve/0',
      });
    });

    it('records a call that fails: as a tool, as a request, by timeout', async () => {
      await connect();
      expect(await lineOf(() => call('fail'))).toMatchObject({ ...common, verdict: 'allow', outcome: 'tool-error' });
      const get = () => client.request('prompts/get', { name: `${server}__broken` }).catch(() => undefined);
      expect(await lineOf(get)).toMatchObject({
        kind: 'prompts',
        method: 'prompts/get',
        name: 'broken',
        verdict: 'allow',
        outcome: 'error',
        errorCode: expect.any(Number),
      });
      const late = () => client.call(`${server}brief__slow`, {}).catch(() => undefined);
      expect(await lineOf(late)).toMatchObject({
        name: 'slow',
        outcome: 'timeout',
        errorCode: 'SWB_CALL_TIMEOUT',
      });
    });

    it('records a call that its client cancels', async () => {
      await connect();
      const { ledger } = upstreams[server === 'legacy' ? 0 : 1] as HttpFixture;
      const started = ledger.count('slow:started');
      const giveUp = new AbortController();
      const line = await lineOf(async () => {
        const slow = call('slow', {}, giveUp.signal);
        await until(() => ledger.count('slow:started') > started, 'the call to run');
        giveUp.abort();
        await slow;
      });
      expect(line).toMatchObject({ name: 'slow', outcome: 'cancelled', errorCode: 'SWB_CANCELLED', verdict: 'allow' });
    });

    it('records a resource, a completion and a builtin tool', async () => {
      await connect();
      const read = () => client.request('resources/read', { uri: `${server}+fixture://notes/7` });
      expect(await lineOf(read)).toMatchObject({
        kind: 'resources',
        name: 'fixture://notes/7',
        outcome: 'ok',
        argKeys: ['uri'],
      });
      const complete = () =>
        client.request('completion/complete', {
          ref: { type: 'ref/prompt', name: `${server}__greet` },
          argument: { name: 'name', value: 'A' },
        });
      expect(await lineOf(complete)).toMatchObject({ kind: 'prompts', name: 'greet', method: 'completion/complete' });
      expect(await lineOf(() => client.call('listServers'))).toMatchObject({
        server: 'switchboard',
        kind: 'tools',
        name: 'listServers',
        outcome: 'ok',
      });
    });
  },
);

describe('the whole audit', () => {
  it('holds no value, no key and no session id, and distinguishes sessions', async () => {
    const sessions: string[] = [];
    for (let i = 0; i < 2; i++) {
      const client = await clients.connect('v1', { http: gateway.url, headers: grants.v1?.headers ?? {} });
      const line = await lineOf(() => client.call('legacy__echo', { text: SECRET }));
      sessions.push(line.session as string);
    }
    expect(sessions[0]).toBeTypeOf('string');
    expect(sessions[0]).not.toBe(sessions[1]);
    const text = auditText(gateway).join('\n');
    for (const { key } of Object.values(grants)) expect(text).not.toContain(key);
    // Names of arguments are recorded, their values are not.
    expect(text.replaceAll(/"argKeys":\[[^\]]*\]/g, '')).not.toContain(SECRET);
  });
});
