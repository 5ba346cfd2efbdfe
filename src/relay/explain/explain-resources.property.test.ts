/** Resources under any of their spellings: the explanation is about what the endpoint would decide about. */
import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { LOCAL_PRINCIPAL } from '../../core/identity.ts';
import { document, predicate, rule, when } from '../../policy/engine/testing/build.ts';
import type { GrantConfig, PolicyConfig, PolicyDocument, Rule } from '../../policy/language/types.ts';
import type { Era } from '../../wire/eras.ts';
import { type Lists, outcomeOf, type Policed, policed, policyConfig } from '../gate/testing/policed.ts';

const uris = (...names: string[]) => names.map((uri) => ({ key: uri, value: { uri, name: uri } }));
const templates = (...names: string[]) =>
  names.map((each) => ({ key: each, value: { uriTemplate: each, name: each } }));
const SERVERS: Record<string, Lists> = {
  one: { resources: uris('file:///a', 'ui://app/x', 'File:///Odd'), templates: templates('file:///pub/{name}') },
  two: { resources: uris('file:///a', 'file:///b'), templates: templates('db://{table}/{row}', 'file:///{name}') },
};

const PLAIN = ['file:///a', 'file:///b', 'file:///pub/1', 'file:///gone', 'db://t/1', 'ui://app/x', 'File:///Odd'];
const RESPELLED = (uri: string): string[] => [
  uri,
  uri.replace('file:', 'FILE:'),
  uri.replace('File:', 'file:'),
  uri.replace('file:///', 'file:/'),
  uri.replace('file:///', 'file://localhost/'),
  uri.replace('file:///', 'file:///pub/../'),
  uri.replace('file:///', 'file:///%2e/'),
  uri.replace('file:///', 'file:////'),
  uri.replace('pub', '%70ub'),
  uri.replace('/a', '/%61'),
  uri.replace('db://t', 'DB://T'),
  `${uri}%20`,
];
const SPELLED = [...new Set([...PLAIN.flatMap(RESPELLED), 'file:///pub/{name}', 'db://{table}/{row}', 'not a uri'])];
const LABELLED = ['one+', 'two+', 'ONE+', 'three+', ''].flatMap((label) => [
  ...SPELLED.map((uri) => label + uri),
  `ui://${label}app/x`,
]);

const OWN = [
  ...PLAIN,
  'file:///pub/{name}',
  'file:////pub/*',
  'FILE:///%61',
  'file:///*',
  'file:///pub/*',
  'db://{table}/{row}',
  '*',
];
const NAMESPACED = [...OWN.flatMap((key) => [`one+${key}`, `two+${key}`]), 'ui://one+app/x', '*'];

const anyRule: fc.Arbitrary<Rule> = fc
  .record({
    action: fc.constantFrom('allow', 'allow', 'deny'),
    denyIf: fc.constantFrom([], [], [predicate([])], [predicate([when('args.uri', 'contains', '/pub/')])]),
    require: fc.constantFrom([], [], [predicate([when('args.uri', 'regex', '^file:')])]),
  } as const)
  .map((part) => rule({ ...part, denyIf: [...part.denyIf], require: [...part.require] }));

const documentOf = (id: string, keys: readonly string[]): fc.Arbitrary<PolicyDocument> =>
  fc
    .record({
      default: fc.constantFrom('allow', 'deny'),
      hide: fc.array(fc.constantFrom(...keys.filter((key) => key !== '*')), { maxLength: 2 }),
      resources: fc.dictionary(fc.constantFrom(...keys), anyRule, { maxKeys: 4 }),
    } as const)
    .map(({ resources, ...rest }) => {
      const made = document({ id, ...rest });
      return { ...made, sections: { ...made.sections, resources: new Map(Object.entries(resources)) } };
    });

const maybe = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.option(value, { nil: undefined });

const anyGrant: fc.Arbitrary<GrantConfig> = fc.record({
  name: fc.constant('team'),
  keys: fc.constant([]),
  servers: fc.constantFrom(undefined, undefined, ['one'], ['t*']),
  policy: fc.oneof(documentOf('grant:team', NAMESPACED), documentOf('grant:team', OWN)),
  expiresAt: fc.constant(undefined),
});

const anyConfig: fc.Arbitrary<PolicyConfig> = fc
  .record({
    gateway: maybe(documentOf('gateway', NAMESPACED)),
    one: maybe(documentOf('server:one', OWN)),
    grant: anyGrant,
  })
  .map(({ gateway, one, grant }) =>
    policyConfig({ gateway, grants: [grant], servers: new Map(one ? [['one', one]] : []) }),
  );

const anyRead = fc.record({
  grant: fc.constantFrom(undefined, 'team', 'team'),
  era: fc.constantFrom<Era>('legacy', 'modern'),
  asked: fc.oneof(
    fc.record({ uri: fc.constantFrom(...LABELLED), server: fc.constant(undefined) }),
    fc.record({ uri: fc.constantFrom(...SPELLED), server: fc.constantFrom('one', 'two') }),
  ),
});

let gateway: Policed;
beforeAll(async () => {
  gateway = await policed(SERVERS);
});
afterAll(() => gateway?.close());

it('an explanation of a resource agrees with reading it, at the merged and the server’s own endpoint', async () => {
  const seen = new Map<string, number>();
  await fc.assert(
    fc.asyncProperty(anyConfig, fc.array(anyRead, { minLength: 1, maxLength: 8 }), async (config, reads) => {
      await gateway.policy.reload(config);
      for (const { grant, era, asked } of reads) {
        const principal = grant ?? LOCAL_PRINCIPAL;
        const { uri, server } = asked;
        const { verdict, subject } = await gateway.explain({ kind: 'resource', name: uri, grant, server });
        const before = gateway.reached.length;
        const met = await outcomeOf(gateway.request(principal, era, 'resources/read', { uri }, server));
        const isGone = met.code === 'SWB_UNKNOWN_SERVER';
        const code = verdict.hidden ? 'SWB_UNKNOWN_RESOURCE' : verdict.code;
        expect(met.effect).toBe(verdict.effect);
        if (!isGone) expect(met.code).toBe(code);
        const reached = gateway.reached.slice(before);
        expect(reached.map(({ server: to, params }) => [to, params.uri])).toEqual(
          met.effect === 'allow' ? [[subject?.server, subject?.name]] : [],
        );
        const kind = `${met.effect} ${met.code ?? ''} ${server === undefined ? 'merged' : 'own'}`;
        seen.set(kind, (seen.get(kind) ?? 0) + 1);
      }
    }),
    { numRuns: 1_000 },
  );
  for (const at of ['merged', 'own']) {
    for (const kind of ['allow ', 'deny SWB_DENIED', 'deny SWB_UNKNOWN_RESOURCE'])
      expect(seen.get(`${kind} ${at}`), `${kind} ${at}`).toBeGreaterThan(10);
  }
});
