/**
 * Fuzzer of policy documents × calls, with the real policy, gate and relay around servers in memory: what a list shows, what a
 * call meets and what `policy explain` says agree, for every caller, era, endpoint, spelling and number.
 * @module
 */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { parsePolicyDocument } from '../../../src/policy/language/testing/parse.ts';
import type { PolicyDocument } from '../../../src/policy/language/types.ts';
import {
  type Lists,
  outcomeOf,
  type Policed,
  policed,
  policyConfig,
  tool,
} from '../../../src/relay/gate/testing/policed.ts';
import { parseExact } from '../../../src/wire/json/parse.ts';
import { keepSource } from '../../../src/wire/json/source.ts';
import type { JsonObject } from '../../../src/wire/jsonrpc.ts';
import type { Fuzzer, Input } from '../fuzzer.ts';

const ODD = ['lo\u0308schen', 'ｄrop', 'get\u200b'];
const URIS = ['file:///a', 'file:///pub/1', 'demo://H/x', 'file:///e\u0301'];
const SERVERS: Record<string, Lists> = {
  one: {
    tools: [
      tool('get'),
      tool('drop'),
      tool('sum', { inputSchema: { type: 'object', properties: { a: { type: 'number' } } } }),
      ...ODD.map((name) => tool(name)),
    ],
    prompts: [{ key: 'greet', value: { name: 'greet' } }],
    resources: URIS.map((uri) => ({ key: uri, value: { uri, name: uri } })),
    templates: [{ key: 'file:///pub/{name}', value: { uriTemplate: 'file:///pub/{name}', name: 't' } }],
  },
  two: { tools: [tool('get')] },
};

const TOOLS = ['get', 'drop', 'sum', ...ODD];
const SPELLED_URIS = [
  ...URIS,
  'FILE:///%61',
  'file:////a',
  'file:///pub/2',
  'demo://h/x',
  'file:///gone',
  'file:///\u00e9',
];
const OWN_KEYS = [...TOOLS, 'l\u00f6schen', 'g*', 'd?op', '{get,sum}', '!get', '*', 'greet'];
const OWN_URIS = [...SPELLED_URIS, 'file:///*', 'file:///pub/{name}', '*'];
const KEYS = [...OWN_KEYS, ...OWN_KEYS.map((key) => `one__${key}`), 'two__get', '*__get'];
const URI_KEYS = [...OWN_URIS, ...OWN_URIS.map((key) => `one+${key}`)];
const NUMBERS = [
  '0',
  '5',
  '"5"',
  '5.0',
  '9007199254740992',
  '9007199254740993',
  '5.00000000000000000001',
  '1e400',
  '-1e-400',
];
const VALUES = [...NUMBERS, 'null', 'true', '"x"', '["x",5]', '{"b":5}', '[9007199254740993]'];
const WANTED = [0, 5, '5', '9007199254740993', 'x', true, null];

const condition = fc.oneof(
  fc.record({
    path: fc.constantFrom('args.a', 'args.a.b', 'args.a.0', 'args.uri'),
    op: fc.constantFrom('eq', 'neq'),
    value: fc.constantFrom(...WANTED),
  }),
  fc.record({
    path: fc.constant('args.a'),
    op: fc.constantFrom('lt', 'lte', 'gt', 'gte'),
    value: fc.constantFrom(5, '9007199254740993', '-1e-400'),
  }),
  fc.record({ path: fc.constant('args.a'), op: fc.constantFrom('in', 'not_in'), value: fc.constant(WANTED) }),
  fc.record({
    path: fc.constantFrom('args.a', 'args.uri'),
    op: fc.constant('regex'),
    value: fc.constantFrom('^5', '3$', 'a', '^file:'),
  }),
  fc.record({ path: fc.constant('args.a'), op: fc.constant('exists'), value: fc.boolean() }),
  fc.record({ path: fc.constant('args.uri'), op: fc.constant('eq'), value: fc.constantFrom(...SPELLED_URIS) }),
);
const predicates = fc.array(condition, { maxLength: 2 });
const rule = fc.record(
  {
    action: fc.constantFrom('allow', 'deny', 'require_approval'),
    require: predicates,
    deny_if: predicates,
    approve: predicates,
    limits: fc.array(
      fc.record(
        {
          counter: fc.constantFrom('x', 'y'),
          window: fc.constant('day'),
          max: fc.integer({ min: 0, max: 6 }),
          scope: fc.constantFrom('grant', 'global'),
          increment_from: fc.constant('args.a'),
        },
        { requiredKeys: ['counter', 'window', 'max'] },
      ),
      { maxLength: 1 },
    ),
    redact: fc.constantFrom(['args.a'], ['result.content.*.text']),
    schema: fc.constantFrom({ properties: { a: { maximum: 5 } } }, { required: ['a'] }),
  },
  { requiredKeys: [] },
);
const documentOf = (keys: readonly string[], uris: readonly string[]) =>
  fc.record(
    {
      version: fc.constant('1'),
      default: fc.constantFrom('allow', 'allow', 'deny'),
      mode: fc.constantFrom('enforce', 'enforce', 'shadow'),
      hide: fc.array(
        fc.constantFrom(...keys, ...uris).filter((key) => key !== '*'),
        { maxLength: 2 },
      ),
      tools: fc.dictionary(fc.constantFrom(...keys), rule, { maxKeys: 3 }),
      prompts: fc.dictionary(fc.constantFrom(...keys), rule, { maxKeys: 1 }),
      resources: fc.dictionary(fc.constantFrom(...uris), rule, { maxKeys: 3 }),
    },
    { requiredKeys: ['version', 'default'] },
  );

interface Call {
  kind: 'tool' | 'prompt' | 'resource';
  /** Own name or URI, of the server `one`. */
  name: string;
  /** JSON text. */
  args: string;
  grant: boolean;
  era: 'legacy' | 'modern';
}

interface Scene {
  gateway?: unknown;
  server?: unknown;
  grant?: unknown;
  calls: Call[];
}

const call: fc.Arbitrary<Call> = fc
  .record({
    kind: fc.constantFrom('tool', 'tool', 'tool', 'resource', 'resource', 'prompt'),
    tool: fc.constantFrom(...TOOLS, 'gone'),
    uri: fc.constantFrom(...SPELLED_URIS),
    value: fc.option(fc.constantFrom(...VALUES)),
    grant: fc.boolean(),
    era: fc.constantFrom('legacy', 'modern'),
  } as const)
  .map(({ kind, tool: name, uri, value, grant, era }) => ({
    kind,
    name: kind === 'tool' ? name : kind === 'prompt' ? 'greet' : uri,
    args: value === null || kind !== 'tool' ? '{}' : `{"a":${value}}`,
    grant,
    era,
  }));

const scene: fc.Arbitrary<Scene> = fc.record(
  {
    gateway: documentOf(KEYS, URI_KEYS),
    server: documentOf(OWN_KEYS, OWN_URIS),
    grant: documentOf(KEYS, URI_KEYS),
    calls: fc.array(call, { minLength: 1, maxLength: 4 }),
  },
  { requiredKeys: ['calls'] },
);

const inputOf = (of: Scene): Input => ({ text: JSON.stringify(of), picks: [] });

/** Scenes of parts of two known ones and a new one. */
function near(known: readonly Input[]): fc.Arbitrary<Input> {
  const which = fc.nat({ max: known.length - 1 });
  const from = fc.integer({ min: 0, max: 2 });
  return fc.tuple(which, which, scene, fc.tuple(from, from, from, from)).map(([a, b, made, sources]) => {
    const scenes = [JSON.parse((known[a] as Input).text), JSON.parse((known[b] as Input).text), made] as Scene[];
    const [gateway, server, grant, calls] = sources.map((source) => scenes[source] as Scene) as [
      Scene,
      Scene,
      Scene,
      Scene,
    ];
    return inputOf({
      ...(gateway.gateway === undefined ? {} : { gateway: gateway.gateway }),
      ...(server.server === undefined ? {} : { server: server.server }),
      ...(grant.grant === undefined ? {} : { grant: grant.grant }),
      calls: calls.calls,
    });
  });
}

let policing: Promise<Policed> | undefined;

/** A document as it is read; a string says what is wrong with it. */
function read(source: unknown, id: string): PolicyDocument | string | undefined {
  if (source === undefined) return undefined;
  const { document, mistakes } = parsePolicyDocument(source, id);
  return document ?? (mistakes?.[0] ?? 'unreadable').replace(/"[^"]*"|\d+/g, '#').slice(0, 60);
}

const LISTS = {
  tool: ['tools/list', 'tools'],
  prompt: ['prompts/list', 'prompts'],
  resource: ['resources/list', 'resources'],
} as const;

async function check({ text }: Input): Promise<string> {
  const { gateway, server, grant, calls } = JSON.parse(text) as Scene;
  const documents = [read(gateway, 'gateway'), read(server, 'server:one'), read(grant, 'grant:team')];
  for (const document of documents) if (typeof document === 'string') return `mistake: ${document}`;
  const [ofGateway, ofServer, ofGrant] = documents as (PolicyDocument | undefined)[];
  policing ??= policed(SERVERS);
  const made = await policing;
  await made.policy.reload(
    policyConfig({
      gateway: ofGateway,
      servers: new Map(ofServer ? [['one', ofServer]] : []),
      grants: [{ name: 'team', keys: [], servers: undefined, policy: ofGrant, expiresAt: undefined }],
    }),
  );
  let kind = '';
  for (const each of calls) kind = await agree(made, each);
  return kind;
}

async function agree(made: Policed, { kind, name, args, grant, era }: Call): Promise<string> {
  const principal = grant ? 'team' : 'local';
  const exposed = kind === 'resource' ? `one+${name}` : (exposedName(made, kind, name) ?? `one__${name}`);
  const { verdict, listed } = await made.explain({
    kind,
    name: exposed,
    args: parseExact(args) as JsonObject,
    ...(grant ? { grant: 'team' } : {}),
  });
  const [method, member] = LISTS[kind];
  const { [member]: entries } = (await made.request(principal, era, method, {})) as Record<string, JsonObject[]>;
  const isShown =
    entries?.some((entry) => (entry.name === exposed && kind !== 'resource') || entry.uri === exposed) === true;
  assert.equal(isShown, listed, `${exposed} is listed as it is explained`);

  const before = made.reached.length;
  const met = await outcomeOf(made.request(principal, era, ...request(kind, exposed, args)));
  const unknown = { tool: 'SWB_UNKNOWN_TOOL', prompt: 'SWB_UNKNOWN_PROMPT', resource: 'SWB_UNKNOWN_RESOURCE' }[kind];
  const isUnknown = met.code === unknown || met.code === 'SWB_RESOURCE_NOT_FOUND';
  const explained = verdict.hidden ? 'deny' : verdict.effect;
  // Servers in memory do not answer for prompts: what reached one was allowed.
  const isPending = met.code === 'SWB_APPROVAL_PENDING';
  const effect = made.reached.length > before ? 'allow' : isPending ? 'approve' : met.effect;
  assert.equal(effect, explained, `${exposed} is decided as it is explained: ${JSON.stringify({ met, verdict })}`);
  if (verdict.hidden) assert.ok(isUnknown, `a hidden name is answered as an unknown one: ${met.code}`);
  else if (effect === 'deny' && !isUnknown) assert.equal(met.code, verdict.code);
  assert.equal(made.reached.length - before, effect === 'allow' ? 1 : 0, 'what is denied reaches no server');
  return `${kind} ${effect} ${verdict.hidden ? 'hidden' : (verdict.code ?? '')} ${/\/(\w+)\/[^/]*$|(\([^)]*\))|\/(action)$/.exec(verdict.rule)?.slice(1).find(Boolean) ?? ''} ${listed}`;
}

/** Names with odd letters are shown respelled. */
const exposedName = (made: Policed, kind: 'tool' | 'prompt', name: string): string | undefined =>
  made.federation.all
    .routes(kind === 'tool' ? 'tools' : 'prompts')
    .find(({ original, member }) => original === name && member.name === 'one')?.exposed;

function request(kind: Call['kind'], name: string, args: string): [string, JsonObject] {
  if (kind === 'resource') return ['resources/read', { uri: name }];
  const method = kind === 'tool' ? 'tools/call' : 'prompts/get';
  const text = `{"method":"${method}","params":{"name":${JSON.stringify(name)},"arguments":${args}}}`;
  const message = JSON.parse(text);
  keepSource(message, text);
  return [method, message.params];
}

export const policy: Fuzzer = {
  name: 'policy',
  fresh: scene.map(inputOf),
  near,
  behaviours: 20,
  check,
  async close() {
    await (await policing)?.close();
    policing = undefined;
  },
};
