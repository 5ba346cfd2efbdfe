/**
 * What attackers have found, tried again through every endpoint and transport, in both eras, and under every alias of a server:
 * its own prefix, another one, none, and the same server in the modern era. `policy explain` agrees with each answer.
 */
import { once } from 'node:events';
import { connect } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { FIXTURES_ALLOWED, type OwnGateway, startReadyGateway } from '../e2e/gateway.ts';
import { grant } from '../policy/grants.ts';
import { DOORS, type Door, type DoorKind, enter, type Reply } from './doors.ts';
import { type RecordingUpstream, RpcFailure, startRecording } from './recording-upstream.ts';

type Params = Record<string, unknown>;

const TOKEN = 'sk-live-0123456789';
const HIDDEN = 'demo://box/hidden';
const DENIED = 'demo://box/denied';

const policy = {
  version: '1',
  default: 'allow',
  hide: ['hidden', 'hid-prompt', HIDDEN, 'demo://hid/{id}'],
  tools: { denied: { action: 'deny' } },
  prompts: { 'no-prompt': { action: 'deny' } },
  resources: { [DENIED]: { action: 'deny' } },
};

const OFFERS = {
  tools: ['echo', 'hidden', 'denied', 'leak', 'ask'],
  prompts: ['hi', 'hid-prompt', 'no-prompt'],
  resources: ['demo://box/open', HIDDEN, DENIED],
  templates: ['demo://open/{id}', 'demo://hid/{id}'],
};

const QUESTION = 'What is the password?';
const INPUT = {
  resultType: 'input_required',
  requestState: 'theirs',
  inputRequests: { q: { method: 'elicitation/create', params: { message: QUESTION, requestedSchema: {} } } },
};
const callTool = ({ name }: Params): Params => {
  if (name === 'leak') throw new RpcFailure(-32_000, `cannot use ${TOKEN}`, { sent: `Bearer ${TOKEN}` });
  return name === 'ask' ? INPUT : { content: [{ type: 'text', text: 'ran' }] };
};

let old: RecordingUpstream;
let fresh: RecordingUpstream;
/** Not configured. */
let stray: RecordingUpstream;
let gateway: OwnGateway;
const reader = grant({ policy: { version: '1', default: 'allow' } });

/** Servers by name, with how the merged view begins the names of their tools. */
const ALIASES = { one: 'one__', two: 'other__', bare: '', fresh: 'fresh__' } as const;
type Alias = keyof typeof ALIASES;
const upstreamOf = (alias: Alias): RecordingUpstream => (alias === 'fresh' ? fresh : old);

beforeAll(async () => {
  old = await startRecording({ ...OFFERS, handlers: { 'tools/call': callTool } });
  fresh = await startRecording({ ...OFFERS, era: 'modern', handlers: { 'tools/call': callTool } });
  stray = await startRecording();
  const shown = { kind: 'mcp', policy, headers: { authorization: `Bearer ${TOKEN}` } };
  gateway = await startReadyGateway({
    servers: {
      one: { url: old.url, ...shown },
      two: { url: old.url, namespace: 'other', ...shown },
      bare: { url: old.url, namespace: false, ...shown },
      fresh: { url: fresh.url, ...shown },
    },
    gateway: { ...FIXTURES_ALLOWED, audit: true, grants: { reader: reader.entry } },
  });
});
beforeEach(() => {
  old.heard.length = 0;
  fresh.heard.length = 0;
});
afterAll(async () => {
  await gateway?.close();
  await Promise.all([old?.close(), fresh?.close(), stray?.close()]);
});

const CELLS = DOORS.flatMap((kind) =>
  (Object.keys(ALIASES) as Alias[]).map((alias) => ({ kind, alias, at: kind.name })),
);

const key = (kind: DoorKind) => (kind.takesKeys ? reader : undefined);
const named = (kind: DoorKind, alias: Alias, name: string): string =>
  kind.at === 'own' ? name : `${ALIASES[alias]}${name}`;
const uriOf = (kind: DoorKind, alias: Alias, uri: string): string => (kind.at === 'own' ? uri : `${alias}+${uri}`);

/** What clients asked the server, without what the gateway asks by itself. */
const heardBy = (upstream: RecordingUpstream): string[] =>
  upstream.heard
    .map(({ method }) => method)
    .filter((method) => /^(tools\/call|prompts\/get|resources\/(read|subscribe)|completion\/complete)$/.test(method));

const isRefused = ({ error, result }: Reply): boolean => error !== undefined || result?.isError === true;

/** Whether `policy explain` finds that this is allowed. */
async function isAllowed(kind: DoorKind, alias: Alias, what: 'tool' | 'prompt' | 'resource', name: string) {
  const server = kind.at === 'own' ? { server: alias } : {};
  const { presence, verdict } = await gateway.gateway.explain({
    kind: what,
    name,
    ...server,
    ...(kind.takesKeys ? { grant: 'reader' } : {}),
  });
  return presence !== 'none' && verdict.effect === 'allow';
}

async function inside(kind: DoorKind, alias: Alias, capabilities: object, visit: (door: Door) => Promise<void>) {
  const entered = await enter(gateway, kind, alias, { key: key(kind), capabilities });
  try {
    await visit(entered);
  } finally {
    await entered.close();
  }
}

describe.each(CELLS)('through $at, to the server $alias', ({ kind, alias }) => {
  it('a hidden name and a missing one get one answer, and neither reaches the server', async () => {
    const tool = (name: string) => named(kind, alias, name);
    const uri = (own: string) => uriOf(kind, alias, own);
    const argument = { name: 'id', value: 'x' };
    const pairs: [string, hidden: string, missing: string, (name: string) => Params][] = [
      ['tools/call', tool('hidden'), tool('hiddem'), (name) => ({ name, arguments: {} })],
      ['tools/call', tool('hidden'), tool('hiddem'), (name) => ({ name, arguments: { a: 'b' }, _meta: { x: 1 } })],
      ['prompts/get', tool('hid-prompt'), tool('hid-promqt'), (name) => ({ name })],
      ['resources/read', uri(HIDDEN), uri('demo://box/hiddem'), (each) => ({ uri: each })],
      ['resources/read', uri('demo://hid/7'), uri('demo://hod/7'), (each) => ({ uri: each })],
      [
        'completion/complete',
        tool('hid-prompt'),
        tool('hid-promqt'),
        (name) => ({ ref: { type: 'ref/prompt', name }, argument }),
      ],
      [
        'completion/complete',
        uri(HIDDEN),
        uri('demo://box/hiddem'),
        (each) => ({ ref: { type: 'ref/resource', uri: each }, argument }),
      ],
      [
        'completion/complete',
        uri('demo://hid/{id}'),
        uri('demo://hod/{id}'),
        (each) => ({ ref: { type: 'ref/resource', uri: each }, argument }),
      ],
    ];
    if (kind.era === 'legacy') {
      pairs.push(['resources/subscribe', uri(HIDDEN), uri('demo://box/hiddem'), (each) => ({ uri: each })]);
    }
    await inside(kind, alias, {}, async (entered) => {
      for (const [method, hidden, missing, paramsOf] of pairs) {
        const secret = await entered.ask(method, paramsOf(hidden));
        const nobody = await entered.ask(method, paramsOf(missing));
        expect(nobody.error, `${method} ${missing}: ${nobody.text}`).toBeDefined();
        expect(secret.text.replaceAll(hidden, missing), method).toBe(nobody.text);
        expect(secret.text).not.toMatch(/policy|denied/i);
      }
      expect(heardBy(upstreamOf(alias))).toEqual([]);
    });
  });

  it('what is forbidden is sent under no spelling, and `policy explain` says so too', async () => {
    await inside(kind, alias, {}, async (entered) => {
      const spelled = (uri: string): string[] => [
        uri,
        uri.replace('demo:', 'DEMO:'),
        uri.replace('box', '%62ox'),
        uri.replace('box/', 'box/./'),
        uri.replace('box/', 'box/x/../'),
        uri.replace('box/', 'box//'),
      ];
      for (const uri of [HIDDEN, DENIED].flatMap(spelled)) {
        for (const each of kind.at === 'own' ? [uri] : [uri, `${alias}+${uri}`, `${alias.toUpperCase()}+${uri}`]) {
          const reply = await entered.ask('resources/read', { uri: each });
          expect(isRefused(reply), `${each}: ${reply.text}`).toBe(true);
          // An original URI that several servers have is ambiguous: there is nothing to explain.
          const explained = await isAllowed(kind, alias, 'resource', each).catch(() => false);
          expect(explained, each).toBe(false);
        }
      }
      for (const own of ['denied', 'hidden']) {
        for (const name of [own, `${alias}__${own}`, `other__${own}`, `fresh__${own}`, `${own} `, own.toUpperCase()]) {
          const reply = await entered.ask('tools/call', { name, arguments: {} });
          expect(isRefused(reply), `${name}: ${reply.text}`).toBe(true);
          expect(await isAllowed(kind, alias, 'tool', name).catch(() => false), name).toBe(false);
        }
      }
      const prompt = named(kind, alias, 'no-prompt');
      expect(isRefused(await entered.ask('prompts/get', { name: prompt }))).toBe(true);
      expect(await isAllowed(kind, alias, 'prompt', prompt)).toBe(false);
      expect(heardBy(upstreamOf(alias))).toEqual([]);
      expect(heardBy(alias === 'fresh' ? old : fresh)).toEqual([]);
    });
  });

  it('what is allowed passes, and `policy explain` says so too', async () => {
    await inside(kind, alias, {}, async (entered) => {
      const tool = named(kind, alias, 'echo');
      expect((await entered.ask('tools/call', { name: tool, arguments: {} })).text).toContain('ran');
      expect(await isAllowed(kind, alias, 'tool', tool)).toBe(true);
      for (const own of ['demo://box/open', 'demo://open/7']) {
        const uri = uriOf(kind, alias, own);
        expect((await entered.ask('resources/read', { uri })).text).toContain(`contents of ${own}`);
        expect(await isAllowed(kind, alias, 'resource', uri)).toBe(true);
      }
    });
  });

  it('a credential in an error of the server does not come out', async () => {
    await inside(kind, alias, {}, async (entered) => {
      const reply = await entered.ask('tools/call', { name: named(kind, alias, 'leak'), arguments: {} });
      expect(reply.error).toMatchObject({ message: 'cannot use [redacted]', data: { sent: '[redacted]' } });
      expect(reply.text).not.toContain(TOKEN);
    });
  });

  it('a client that declared nothing is asked nothing', async () => {
    await inside(kind, alias, { roots: {} }, async (entered) => {
      const reply = await entered.ask('tools/call', { name: named(kind, alias, 'ask'), arguments: {} });
      expect(entered.asked).toEqual([]);
      if (alias !== 'fresh') return;
      expect(reply.text).not.toContain(QUESTION);
      if (kind.era === 'modern') expect(reply.error).toMatchObject({ code: -32021 });
      else expect(reply.result).toMatchObject({ isError: true });
      expect(reply.text).not.toMatch(/declin|reject/i);
    });
  });
});

describe.each(DOORS.filter(({ at }) => at === 'merged'))('through $name', (kind) => {
  it('an agent that is hidden and one that is missing are answered alike', async () => {
    await inside(kind, 'one', {}, async (entered) => {
      const answers: string[] = [];
      for (const agent of ['one/hidden', 'one/hiddem']) {
        for (const name of ['callAgent', 'describeAgent']) {
          const args = name === 'callAgent' ? { agent, message: 'x' } : { agent };
          answers.push((await entered.ask('tools/call', { name, arguments: args })).text.replaceAll(agent, 'X'));
        }
      }
      expect(answers.slice(0, 2)).toEqual(answers.slice(2));
    });
  });

  it('a server is not added whose names could be taken for those of another one', async () => {
    await inside(kind, 'one', {}, async (entered) => {
      const reply = await entered.ask('tools/call', {
        name: 'connectServer',
        arguments: { url: stray.url, name: 'one_' },
      });
      expect(reply.result, reply.text).toMatchObject({ isError: true });
      expect(reply.text).toMatch(/Server 'one' can make the names of the prefix 'one_'/);
      expect(gateway.gateway.federation.member('one_')).toBeUndefined();
    });
  });
});

describe('a request with two Host headers', () => {
  it.each([
    ['POST', '/mcp'],
    ['GET', '/mcp'],
    ['DELETE', '/mcp'],
    ['GET', '/sse'],
    ['POST', '/messages?sessionId=x'],
    ['POST', '/servers/one/mcp'],
    ['GET', '/servers/one/sse'],
    ['POST', '/servers/one/messages?sessionId=x'],
    ['GET', '/healthz'],
    ['GET', '/readyz'],
    ['GET', '/admin/api/servers'],
    ['OPTIONS', '/mcp'],
    ['GET', '/nowhere'],
  ])('%s %s is answered 400 and nothing else', async (method, path) => {
    const { port } = new URL(gateway.url);
    for (const second of [`127.0.0.1:${port}`, 'evil.example']) {
      const socket = connect(Number(port), '127.0.0.1');
      let text = '';
      socket.setEncoding('utf8').on('data', (piece: string) => {
        text += piece;
      });
      const { authorization } = reader.headers;
      socket.write(
        `${method} ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nHost: ${second}\r\nAuthorization: ${authorization}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`,
      );
      await once(socket, 'close');
      expect(text).toMatch(/^HTTP\/1\.1 400 /);
    }
  });
});
