import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LOCAL_PRINCIPAL } from '../../core/identity.ts';
import { limit, predicate, rule, when } from '../../policy/engine/testing/build.ts';
import {
  type GrantConfig,
  type Limit,
  POLICY_SECTIONS,
  type PolicyConfig,
  type PolicyDocument,
  type Predicate,
  type Rule,
} from '../../policy/language/types.ts';
import type { Era } from '../../wire/eras.ts';
import type { JsonObject } from '../../wire/jsonrpc.ts';
import { outcomeOf, type Policed, policed, policyConfig, tool } from '../gate/testing/policed.ts';

const NUMBER = { inputSchema: { type: 'object', properties: { a: { type: 'number' } } } };
const SERVERS = {
  one: { tools: [tool('get'), tool('drop'), tool('get_all', NUMBER)] },
  two: { tools: [tool('get', NUMBER)] },
};
const SPELLED = ['one__get', 'one__drop', 'one__get_all', 'two__get'];
const NAMES = [...SPELLED, 'two__gone', 'three__get'];
const OWN = ['get', 'drop', 'get_all', 'g*', '*'];
const NAMESPACED = [...SPELLED, 'one__*', '*__get', '*'];

const predicates: fc.Arbitrary<Predicate[]> = fc.oneof(
  { weight: 3, arbitrary: fc.constant<Predicate[]>([]) },
  {
    weight: 1,
    arbitrary: fc
      .constantFrom(when('args.a', 'gt', 3), when('args.a', 'exists', true), when('args.b', 'regex', '('))
      .map((condition) => [predicate([condition])]),
  },
);

const limits: fc.Arbitrary<Limit[]> = fc.array(
  fc
    .record({
      counter: fc.constantFrom('x', 'y'),
      max: fc.integer({ min: 0, max: 4 }),
      // A window that does not end while it is looked at.
      windowMs: fc.constant(86_400_000 * 365),
      scope: fc.constantFrom('grant', 'server', 'global'),
      sliding: fc.boolean(),
      incrementFrom: fc.constantFrom(undefined, undefined, 'args.a'),
    } as const)
    .map(limit),
  { maxLength: 1 },
);

const anyRule: fc.Arbitrary<Rule> = fc
  .record({
    action: fc.constantFrom('allow', 'allow', 'allow', 'deny', 'require_approval'),
    require: predicates,
    denyIf: predicates,
    approveIf: predicates,
    limits,
    schema: fc.constantFrom(undefined, undefined, undefined, { properties: { a: { maximum: 4 } } }),
  } as const)
  .map(rule);

const documentOf = (id: string, keys: readonly string[]): fc.Arbitrary<PolicyDocument> =>
  fc
    .record({
      mode: fc.constantFrom('enforce', 'enforce', 'enforce', 'shadow'),
      default: fc.constantFrom('allow', 'allow', 'deny'),
      hide: fc.oneof(
        fc.constant([]),
        fc.array(fc.constantFrom(...keys.filter((key) => key !== '*')), { maxLength: 1 }),
      ),
      allTools: fc.oneof({ weight: 3, arbitrary: fc.constant([]) }, { weight: 1, arbitrary: limits }),
      tools: fc.dictionary(fc.constantFrom(...keys), anyRule, { maxKeys: 4 }),
    } as const)
    .map(({ tools, ...rest }) => ({
      id,
      description: undefined,
      ...rest,
      sections: Object.fromEntries(
        POLICY_SECTIONS.map((section) => [section, new Map(section === 'tools' ? Object.entries(tools) : [])]),
      ) as unknown as PolicyDocument['sections'],
    }));

const maybe = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.option(value, { nil: undefined });

const anyGrant: fc.Arbitrary<GrantConfig> = fc.record({
  name: fc.constant('team'),
  keys: fc.constant([]),
  servers: fc.constantFrom(undefined, ['one'], ['t*', 'one']),
  policy: maybe(documentOf('grant:team', NAMESPACED)),
  expiresAt: fc.constant(undefined),
});

const anyConfig: fc.Arbitrary<PolicyConfig> = fc
  .record({
    gateway: maybe(documentOf('gateway', NAMESPACED)),
    defaultPolicy: documentOf('default', NAMESPACED),
    one: maybe(documentOf('server:one', OWN)),
    two: maybe(documentOf('server:two', OWN)),
    grant: anyGrant,
  })
  .map(({ gateway, defaultPolicy, one, two, grant }) =>
    policyConfig({
      gateway,
      defaultPolicy,
      servers: new Map([...(one ? [['one', one] as const] : []), ...(two ? [['two', two] as const] : [])]),
      grants: [grant],
    }),
  );

const anyCall = fc.record({
  grant: fc.constantFrom(undefined, 'team', 'team'),
  era: fc.constantFrom<Era>('legacy', 'modern'),
  name: fc.constantFrom(...SPELLED, ...NAMES),
  args: fc.constantFrom({}, { a: 1 }, { a: 5 }, { a: 'x' }, { a: -1, b: 'b' }, { b: 'b' }),
});

interface Own {
  principal: string;
  era: Era;
  name: string;
  args: JsonObject;
  listed: boolean;
  explained: { effect: string; code: string | null; rule: string };
}

/** Under the server's own name at its own endpoint, which exists for callers who may see something of the server. */
async function ownEndpoint({ principal, era, name, args, listed, explained }: Own): Promise<void> {
  const [server = '', own] = name.split('__');
  // What was allowed may have been the last of its limit.
  if (!SPELLED.includes(name) || explained.effect === 'allow') return;
  const met = await outcomeOf(gateway.request(principal, era, 'tools/call', { name: own, arguments: args }, server));
  if (met.code === 'SWB_UNKNOWN_SERVER') {
    expect(listed).toBe(false);
    expect(explained.effect).toBe('deny');
    return;
  }
  expect(met).toMatchObject({ effect: explained.effect, code: explained.code });
  if (met.rule !== undefined) expect(met.rule).toBe(explained.rule);
}

let gateway: Policed;
beforeAll(async () => {
  gateway = await policed(SERVERS);
});
afterAll(() => gateway?.close());

describe('for any documents, callers and arguments', () => {
  it('an explanation agrees with the call, and with the list', async () => {
    const seen = new Map<string, number>();
    await fc.assert(
      fc.asyncProperty(anyConfig, fc.array(anyCall, { minLength: 1, maxLength: 6 }), async (config, calls) => {
        await gateway.policy.reload(config);
        for (const { grant, era, name, args } of calls) {
          const principal = grant ?? LOCAL_PRINCIPAL;
          const { verdict, listed } = await gateway.explain({ kind: 'tool', name, args, grant });
          const list = (await gateway.request(principal, era, 'tools/list', {})) as { tools: { name: string }[] };
          const before = gateway.reached.length;
          const met = await outcomeOf(gateway.request(principal, era, 'tools/call', { name, arguments: args }));
          const isUnknown = met.code === 'SWB_UNKNOWN_TOOL';
          const explained = verdict.hidden ? { effect: 'deny', code: 'SWB_UNKNOWN_TOOL' } : verdict;
          expect(met.effect).toBe(explained.effect);
          expect(met.code).toBe(explained.code);
          // A caller who may not know of a subject does not learn the rule.
          if (met.effect !== 'allow' && !isUnknown) expect(met.rule).toBe(verdict.rule);
          expect(gateway.reached.length - before).toBe(met.effect === 'allow' ? 1 : 0);
          expect(list.tools.some((each) => each.name === name)).toBe(listed);
          await ownEndpoint({ principal, era, name, args, listed, explained: { ...explained, rule: verdict.rule } });
          const kind = `${met.effect} ${met.code ?? ''}${listed ? ' listed' : ''}`;
          seen.set(kind, (seen.get(kind) ?? 0) + 1);
        }
      }),
      { numRuns: 1_500 },
    );
    // The scenes are no good when they all end alike.
    for (const kind of [
      'allow  listed',
      'approve  listed',
      'deny SWB_DENIED',
      'deny SWB_DENIED listed',
      'deny SWB_RATE_LIMITED listed',
      'deny SWB_ARGUMENTS_INVALID listed',
      'deny SWB_UNKNOWN_TOOL',
    ]) {
      expect(seen.get(kind), kind).toBeGreaterThan(10);
    }
  });
});
