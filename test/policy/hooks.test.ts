/** Hooks of the operator's at every phase, through the real gateway: what they see, what they may do, and when. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type ClientKind, Clients, type TestClient, textOf } from '../e2e/clients.ts';
import { FIXTURES_ALLOWED, type OwnGateway } from '../e2e/gateway.ts';
import { until } from '../e2e/until.ts';
import { type HttpFixture, startV1Http, startV2Http } from '../fixtures/mcp/http.ts';
import { audited, denialOf, type Json } from './gateway.ts';
import { seen, startHooked } from './hook-modules.ts';

const MODULES = {
  watcher: `export default { phases: ['call.before', 'call.after', 'list.filter', 'audit', 'upstream.connect'], decide(input) {
    see(input);
  } };`,
  before: `export default { phases: ['call.before'], decide({ name, args, kind }) {
    if (name === 'fail') return { effect: 'deny', reason: 'No failures today.', rule: 'failures' };
    if (name === 'echo' && args.text === 'slow no') return later(30, { effect: 'deny', reason: 'After some thought: no.' });
    if (name === 'echo' && args.text === 'rewrite me') return { effect: 'allow', args: { ...args, text: 'rewritten' } };
    if (name === 'echo' && args.text === 'break me') return { effect: 'allow', args: { text: 7 } };
    if (name === 'slow' && args.ms === undefined) return { effect: 'allow', args: { ms: 1 } };
    if (name === 'touch') throw new Error('secret of the hook');
  } };`,
  stuck: `export default { phases: ['call.before'], decide({ name }) {
    if (name === 'boom') return new Promise(() => {});
  } };`,
  thinker: `export default { phases: ['call.before'], decide({ name, args }) {
    if (name === 'connectServer' && args.name === 'late') return later(200);
  } };`,
  after: `export default { phases: ['call.after'], async decide({ name, result, kind }) {
    if (name === 'big') throw new Error('secret of the hook');
    if (name === 'add') return { effect: 'deny', reason: 'The sum stays here.' };
    if (name === 'roots') return { effect: 'allow', result: { ...result, extra: 'wider' } };
    const text = JSON.stringify(result).replaceAll('Ada', '***').replaceAll('Read me.', '***');
    return { effect: 'allow', result: JSON.parse(text) };
  } };`,
  notes: `let n = 0;
  export default { phases: ['notify'], async decide(input) {
    const { method, params } = input.notification;
    if (method === 'notifications/resources/updated') {
      see(input);
      return { effect: 'deny', reason: 'no' };
    }
    if (method === 'notifications/message' && params.level === 'debug') return { effect: 'deny', reason: 'no' };
    // Earlier ones take longer.
    await later(Math.max(0, 60 - 15 * n++));
    if (method === 'notifications/message') return { effect: 'allow', notification: { params: { ...params, data: 'seen' } } };
  } };`,
  lists: `export default { phases: ['list.filter'], async decide({ name }) {
    await later(5);
    if (name === 'whoami' || name === 'broken') return { effect: 'deny', reason: 'hidden' };
  } };`,
  connect: `export default { phases: ['upstream.connect'], decide({ url }) {
    if (url.includes(':1/')) return { effect: 'deny', reason: 'Port 1 is not for connecting to.' };
  } };`,
};

let upstreams: HttpFixture[];
let gateway: OwnGateway;
const clients = new Clients();

beforeAll(async () => {
  const [v1, v2] = await Promise.all([startV1Http(), startV2Http('modern')]);
  upstreams = [v1, v2];
  gateway = await startHooked({ legacy: { url: v1.url }, modern: { url: v2.url } }, MODULES, {
    // Hooks that answer have time to, however busy the machine is.
    entries: {
      before: { timeoutMs: 30_000, servers: ['legacy', 'modern'] },
      stuck: { timeoutMs: 200, servers: ['legacy', 'modern'] },
      ...Object.fromEntries(['after', 'notes', 'lists', 'thinker'].map((name) => [name, { timeoutMs: 30_000 }])),
    },
    gateway: { audit: true, ...FIXTURES_ALLOWED },
  });
});
beforeEach(() => {
  seen().length = 0;
});
afterEach(() => clients.close());
afterAll(async () => {
  await gateway?.close();
  await Promise.all((upstreams ?? []).map((upstream) => upstream.close()));
});

const KINDS = ['v1', 'v2-legacy', 'v2-modern'] as const satisfies ClientKind[];

describe.each(KINDS.flatMap((kind) => ['legacy', 'modern'].map((server) => [kind, server] as const)))(
  'for a %s client of a %s server',
  (kind, server) => {
    let client: TestClient;
    beforeEach(async () => {
      client = await clients.connect(kind, { http: gateway.url });
    });
    const call = (name: string, args: Json = {}) => client.call(`${server}__${name}`, args);
    const upstream = () => upstreams[server === 'legacy' ? 0 : 1] as HttpFixture;

    it('call.before denies, at once or later, and changes arguments, which are checked again', async () => {
      expect(denialOf(await call('fail'))).toEqual({
        code: 'SWB_DENIED',
        policy: 'hooks',
        rule: '(hook before) failures',
        reason: 'No failures today.',
      });
      expect(textOf(await call('echo', { text: 'slow no' }))).toBe('After some thought: no.');
      expect(textOf(await call('echo', { text: 'rewrite me' }))).toBe('rewritten');
      expect(denialOf(await call('echo', { text: 'break me' }))?.code).toBe('SWB_ARGUMENTS_INVALID');
      // There were no arguments at all.
      expect(await client.request('tools/call', { name: `${server}__slow` })).toMatchObject({
        content: [{ text: 'done' }],
      });
    });

    it('a hook that throws or never answers denies, and nothing of it or of the call leaks', async () => {
      const before = upstream().world.counter;
      for (const name of ['touch', 'boom', 'big', 'roots']) {
        const result = await call(name, name === 'big' ? { bytes: 20 } : {}).catch((error: Error) => error);
        if (name === 'roots' && result instanceof Error) continue;
        expect(JSON.stringify(result), name).not.toMatch(/secret of the hook|x{20}|fixture exploded|wider/i);
        expect(denialOf(result as never), name).toMatchObject({ code: 'SWB_DENIED', policy: 'hooks' });
      }
      expect(upstream().world.counter).toBe(before);
      const read = client.request('resources/read', { uri: `${server}+fixture://notes/1` });
      expect(await read).toHaveProperty('contents');
    });

    it('call.after withholds and narrows results of tools, prompts and resources', async () => {
      const sum = await call('add', { a: 20, b: 22 });
      expect(JSON.stringify(sum)).not.toContain('42');
      expect(textOf(sum)).toBe('The sum stays here.');
      expect(textOf(await call('echo', { text: 'I am Ada' }))).toBe('I am ***');
      const prompt = await client.request('prompts/get', { name: `${server}__greet`, arguments: { name: 'Ada' } });
      expect(JSON.stringify(prompt.messages)).toContain('Hello, ***.');
      const read = await client.request('resources/read', { uri: `${server}+fixture://readme` });
      expect(read.contents).toMatchObject([{ text: '***' }]);
    });

    it('notifications keep their order and come before the answer, however long hooks take', async () => {
      const heard: string[] = [];
      const result = await client.call(
        `${server}__slow`,
        { ms: 20, steps: 4 },
        { onProgress: ({ message }) => heard.push(String(message)) },
      );
      expect(heard).toEqual(['step 1', 'step 2', 'step 3', 'step 4']);
      expect(textOf(result)).toBe('done');
    });

    it('list.filter hides from lists and from calls', async () => {
      const names = await client.tools();
      expect(names).toContain(`${server}__echo`);
      expect(names).not.toContain(`${server}__whoami`);
      await expect(call('whoami')).rejects.toThrow(/Unknown tool/);
      await expect(client.request('prompts/get', { name: `${server}__broken` })).rejects.toThrow(/Unknown prompt/);
    });

    it('hooks see the caller, the server’s own name, and the whole call, at every endpoint', async () => {
      const own = await clients.connect(kind, { http: gateway.at(`/servers/${server}/mcp`) });
      await own.call('echo', { text: 'own' });
      const at = (phase: string) => seen().find((input) => input.phase === phase && input.name === 'echo');
      const common = {
        principal: 'local',
        grant: undefined,
        session: expect.any(String),
        server,
        kind: 'tool',
        name: 'echo',
        namespaced: `${server}__echo`,
      };
      expect(at('call.before')).toMatchObject({ ...common, args: { text: 'own' } });
      expect(at('call.after')).toMatchObject({
        ...common,
        args: { text: 'own' },
        result: { content: [{ text: 'own' }] },
      });
      await until(() => at('audit'), 'the record');
      expect(at('audit')).toMatchObject({ ...common, record: { verdict: 'allow', outcome: 'ok', name: 'echo' } });
      await client.call('listServers');
      expect(seen()).toContainEqual(
        expect.objectContaining({ phase: 'call.before', server: 'switchboard', name: 'listServers' }),
      );
    });
  },
);

describe('notifications outside calls', () => {
  it.each(['v1', 'v2-legacy'] satisfies ClientKind[])('are narrowed and dropped for a %s client', async (kind) => {
    const client = await clients.connect(kind, { http: gateway.url });
    await client.request('logging/setLevel', { level: 'debug' });
    await client.call('legacy__log', { aside: true });
    await until(() => client.heard('notifications/message').length > 0, 'a log message');
    expect(client.heard('notifications/message')).toMatchObject([{ level: 'warning', data: 'seen' }]);
  });
});

describe('updates of resources', () => {
  it.each(KINDS.flatMap((kind) => ['legacy', 'modern'].map((server) => [kind, server] as const)))(
    'pass notify hooks for a %s client of a %s server',
    async (kind, server) => {
      const client = await clients.connect(kind, { http: gateway.url });
      await client.listen([`${server}+fixture://counter`]);
      const looked = () => seen().find(({ phase, server: of }) => phase === 'notify' && of === server);
      await until(() => {
        upstreams[server === 'legacy' ? 0 : 1]?.world.touch();
        return looked();
      }, 'the hook to be asked');
      expect(looked()?.notification?.params).toMatchObject({ uri: `${server}+fixture://counter` });
      await client.tools();
      expect(client.heard('notifications/resources/updated')).toEqual([]);
    },
  );
});

describe('upstream.connect', () => {
  it('decides where the gateway connects to', async () => {
    expect(seen().length).toBe(0);
    const client = await clients.connect('v2-modern', { http: gateway.url });
    const refused = await client.call('connectServer', { url: 'http://127.0.0.1:1/mcp' });
    expect(refused.isError).toBe(true);
    expect(textOf(refused)).toContain('Port 1 is not for connecting to.');
    const [v1] = upstreams;
    const joined = await client.call('connectServer', { url: v1?.url, name: 'joined' });
    expect(joined.isError).not.toBe(true);
    expect(seen()).toContainEqual(
      expect.objectContaining({ phase: 'upstream.connect', server: 'joined', url: v1?.url }),
    );
    expect(denialOf(await client.call('joined__add', { a: 20, b: 22 }))).toMatchObject({ rule: '(hook after)' });
  });
});

describe('a client that cancels while a hook runs', () => {
  it('starts no call', async () => {
    const client = await clients.connect('v1', { http: gateway.url });
    const giveUp = new AbortController();
    const [v1] = upstreams;
    const late = client.call('connectServer', { url: v1?.url, name: 'late' }, { signal: giveUp.signal });
    await until(() => seen().some(({ phase, args }) => phase === 'call.before' && args?.name === 'late'), 'the hook');
    giveUp.abort();
    await expect(late).rejects.toThrow();
    const line = await audited(gateway, ({ name, outcome }) => name === 'connectServer' && outcome === 'cancelled');
    expect(line).toMatchObject({ server: 'switchboard', errorCode: 'SWB_CANCELLED' });
    expect(seen().filter(({ phase }) => phase === 'upstream.connect')).toEqual([]);
    expect(gateway.gateway.federation.member('late')).toBeUndefined();
  });
});
