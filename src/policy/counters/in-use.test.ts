import { expect, it } from 'vitest';
import { identityOf } from '../../core/identity.ts';
import { MemoryCounters } from '../../state/memory/counters.ts';
import { silentLog } from '../approvals/testing/requests.ts';
import { caller, document, limit, setOf, subject } from '../engine/testing/build.ts';
import type { GrantConfig, PolicyConfig } from '../language/types.ts';
import { limitsInUse } from './in-use.ts';

const gateway = document({
  id: 'gateway',
  default: 'allow',
  allTools: [limit({ counter: 'calls', max: 5 })],
  tools: {
    one: { limits: [limit({ counter: 'shared', max: 3, scope: 'server' })] },
    two: { limits: [limit({ counter: 'shared', max: 3, scope: 'server' }), limit({ counter: 's', scope: 'session' })] },
  },
});
const own = document({ id: 'grant:ada', tools: { one: { limits: [limit({ counter: 'mine', scope: 'global' })] } } });
const grant = (name: string, policy?: GrantConfig['policy']): GrantConfig => ({
  name,
  keys: [],
  servers: undefined,
  policy,
  expiresAt: undefined,
});
const config = {
  gateway,
  defaultPolicy: document({ id: 'default', allTools: [limit({ counter: 'usual' })] }),
  servers: new Map(),
  grants: [grant('ada', own), grant('ci')],
} as unknown as PolicyConfig;
const owners = { servers: ['s', 'other'], principals: ['local', 'bob'] };

it('limits are listed with the counters of those who used them, and with the rules that share them', async () => {
  const counters = new MemoryCounters({ log: silentLog, clock: () => 1_000 });
  const use = (principal: string, name: string, grantName?: string): void => {
    const who = { ...caller(principal), identity: { ...identityOf(principal), grant: grantName } };
    const documents = grantName === 'ada' ? [gateway, own] : [gateway];
    const verdict = setOf(documents).planFor(subject(name)).decide({}, who);
    if (verdict.effect !== 'allow' || !counters.reserve(verdict.limits).granted) throw new Error('not allowed');
  };
  use('ada', 'one', 'ada');
  use('ada', 'one', 'ada');
  use('bob', 'two');
  const { limits, isWhole } = await limitsInUse(config, owners, (uses) => counters.read(uses));
  expect(isWhole).toBe(true);
  const counted = (policy: string, counter: string) =>
    limits.find((each) => each.policy === policy && each.counter === counter);
  expect(counted('gateway', 'calls')?.counts).toEqual([
    { owner: 'ada', used: 2, endsAt: 60_000 },
    { owner: 'bob', used: 1, endsAt: 60_000 },
  ]);
  expect(counted('gateway', 'shared')).toMatchObject({
    rules: ['/tools/one/limits/shared', '/tools/two/limits/shared'],
    max: 3,
    window: 'minute',
    counts: [{ owner: 's', used: 3 }],
  });
  expect(counted('grant:ada', 'mine')?.counts).toEqual([{ owner: undefined, used: 2, endsAt: 60_000 }]);
  expect(counted('gateway', 's')?.counts).toEqual([]);
  expect(counted('default', 'usual')?.counts).toEqual([]);
});

it('more counters than are looked at are said to be there, and none is made by looking', async () => {
  const counters = new MemoryCounters({ log: silentLog, maxCounters: 1 });
  const many = { servers: Array.from({ length: 3_000 }, (_, index) => `server-${index}`), principals: ['local'] };
  const { isWhole } = await limitsInUse(config, many, (uses) => counters.read(uses));
  expect(isWhole).toBe(false);
  const [limits] = [setOf([gateway]).planFor(subject('three')).decide({}, caller('bob'))];
  expect(limits.effect === 'allow' && counters.reserve(limits.limits).granted).toBe(true);
});
