import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { memoryState } from '../../state/memory/memory-state.ts';
import { openSqliteState } from '../../state/sqlite/sqlite-state.ts';
import type { State } from '../../state/state.ts';
import { openApprovals } from './approvals.ts';
import { request, silentLog, untilTrue } from './testing/requests.ts';
import type { Approval, ApprovalLimits, Approvals, Claim } from './types.ts';

let now: number;
let opened: Approvals[];
let states: State[];
let folders: string[];

beforeEach(() => {
  now = 1_000_000;
  opened = [];
  states = [];
  folders = [];
});

afterEach(async () => {
  for (const each of opened) await each.close();
  for (const each of states) await each.close();
  for (const each of folders) await rm(each, { recursive: true, force: true });
});

async function open(state?: State, limits: Partial<ApprovalLimits> = {}): Promise<Approvals> {
  const approvals = await openApprovals({ log: silentLog, state, limits, now: () => now });
  opened.push(approvals);
  return approvals;
}

function stateAt(folder: string): State {
  const state = openSqliteState(folder, { log: silentLog });
  states.push(state);
  return state;
}

async function stateFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'swb-approvals-'));
  folders.push(folder);
  return folder;
}

function as<S extends Claim['status']>(claim: Claim, status: S): Extract<Claim, { status: S }> {
  expect(claim.status).toBe(status);
  return claim as Extract<Claim, { status: S }>;
}

const pendingId = (approvals: Approvals, changes = {}): string =>
  as(approvals.claim(request(changes)), 'pending').approval.id;

const ALICE = { effect: 'approve', by: 'alice' } as const;

describe('a call that needs an approval', () => {
  it('is pending once, however often it is tried and however its arguments are ordered', async () => {
    const approvals = await open();
    const id = pendingId(approvals);
    expect(id).toMatch(/^apr_[\w-]{22}$/);
    for (let i = 0; i < 20; i++) expect(pendingId(approvals)).toBe(id);
    expect(pendingId(approvals, { arguments: { nested: { b: 2, a: 1 }, amount: 5 } })).toBe(id);
    expect(approvals.list()).toHaveLength(1);
    expect(approvals.get(id)).toMatchObject({
      state: 'pending',
      principal: 'agent',
      server: 'bank',
      section: 'tools',
      name: 'pay',
      reason: 'Money moves.',
      arguments: '{"amount":"[redacted]"}',
      expiresAt: now + 60_000,
    });
  });

  it('passes once after a person has approved it', async () => {
    const approvals = await open();
    const id = pendingId(approvals);
    expect(await approvals.decide(id, { ...ALICE, note: 'fine' })).toMatchObject({
      state: 'approved',
      by: 'alice',
      note: 'fine',
    });
    const claims = Array.from({ length: 50 }, () => approvals.claim(request()));
    expect(claims.filter(({ status }) => status === 'approved')).toHaveLength(1);
    const others = new Set(claims.slice(1).map((claim) => as(claim, 'pending').approval.id));
    expect(others.size).toBe(1);
    expect(others).not.toContain(id);
    await as(claims[0] as Claim, 'approved').durable;
    expect(approvals.get(id)?.state).toBe('spent');
  });

  it.each([
    ['another principal', { principal: 'other' }],
    ['another server', { subject: { server: 'bank2', section: 'tools', name: 'pay', builtin: false } }],
    ['a tool of the gateway', { subject: { server: 'bank', section: 'tools', name: 'pay', builtin: true } }],
    ['another section', { subject: { server: 'bank', section: 'prompts', name: 'pay', builtin: false } }],
    ['another name', { subject: { server: 'bank', section: 'tools', name: 'Pay', builtin: false } }],
    ['other arguments', { arguments: { amount: 6, nested: { a: 1, b: 2 } } }],
    ['arguments of another type', { arguments: { amount: '5', nested: { a: 1, b: 2 } } }],
    [
      'arguments that are a list of pairs',
      {
        arguments: {
          amount: 5,
          nested: [
            ['a', 1],
            ['b', 2],
          ],
        },
      },
    ],
    ['changed rules', { policyVersion: 'v2' }],
  ])('is another one with %s', async (_what, changes) => {
    const approvals = await open();
    const id = pendingId(approvals);
    await approvals.decide(id, ALICE);
    expect(pendingId(approvals, changes)).not.toBe(id);
    expect(approvals.claim(request()).status).toBe('approved');
  });

  it('uses its approval again when it never left, once', async () => {
    const approvals = await open();
    await approvals.decide(pendingId(approvals), ALICE);
    const first = as(approvals.claim(request()), 'approved');
    first.release();
    first.release();
    const second = as(approvals.claim(request()), 'approved');
    first.release();
    await second.durable;
    expect(approvals.claim(request()).status).toBe('pending');
  });

  it('does not get back an approval that has expired meanwhile', async () => {
    const approvals = await open();
    await approvals.decide(pendingId(approvals), ALICE);
    const { release } = as(approvals.claim(request()), 'approved');
    now += 60_000;
    release();
    expect(approvals.claim(request()).status).toBe('pending');
  });

  it('is denied until the denial expires', async () => {
    const approvals = await open();
    const id = pendingId(approvals);
    now += 30_000;
    await approvals.decide(id, { effect: 'deny', by: 'bob', note: 'not\nnow' });
    for (const later of [0, 59_999]) {
      now = 1_030_000 + later;
      expect(approvals.claim(request())).toMatchObject({ status: 'denied', by: 'bob', note: 'not now' });
    }
    now++;
    expect(pendingId(approvals)).not.toBe(id);
  });
});

describe('an approval in time', () => {
  it('expires undecided, cannot be decided any more, and is forgotten later', async () => {
    const approvals = await open();
    const id = pendingId(approvals);
    now += 60_000;
    expect(approvals.get(id)?.state).toBe('expired');
    await expect(approvals.decide(id, ALICE)).rejects.toMatchObject({ code: 'SWB_APPROVAL_EXPIRED' });
    expect(pendingId(approvals)).not.toBe(id);
    now += 60 * 60_000;
    expect(approvals.get(id)).toBeUndefined();
    await expect(approvals.decide(id, ALICE)).rejects.toMatchObject({ code: 'SWB_UNKNOWN_APPROVAL' });
  });

  it('expires when it is given and not used', async () => {
    const approvals = await open();
    const id = pendingId(approvals);
    now += 59_999;
    expect((await approvals.decide(id, ALICE)).expiresAt).toBe(now + 60_000);
    now += 60_000;
    expect(approvals.claim(request()).status).toBe('pending');
    expect(approvals.get(id)?.state).toBe('expired');
  });
});

describe('a listener', () => {
  it('learns of an expiry when it happens, and of a decision by another gateway without asking', async () => {
    const folder = await stateFolder();
    const [one, other] = [
      await openApprovals({ log: silentLog, state: stateAt(folder) }),
      await openApprovals({ log: silentLog, state: stateAt(folder) }),
    ];
    opened.push(one, other);
    const seen: string[] = [];
    one.onChange(({ state }) => void seen.push(state));
    // Long enough for the other process to receive it and to decide, on a busy machine too.
    const id = pendingId(one, { need: { ...request().need, timeoutMs: 3_000 } });
    await untilTrue(async () => other.get(id) !== undefined);
    await other.decide(id, ALICE);
    await untilTrue(async () => seen.length === 3);
    expect(seen).toEqual(['pending', 'approved', 'expired']);
  });
});

describe('a decision', () => {
  it('about an id that does not exist is refused', async () => {
    const approvals = await open();
    const id = pendingId(approvals);
    for (const forged of ['', 'apr_', `${id}x`, id.toLowerCase(), '__proto__', `apr_${'A'.repeat(22)}`]) {
      await expect(approvals.decide(forged, ALICE)).rejects.toMatchObject({ code: 'SWB_UNKNOWN_APPROVAL' });
    }
    expect(approvals.get(id)?.state).toBe('pending');
  });

  it('about a decided approval is refused with the name of who decided first, also when both come at once', async () => {
    const approvals = await open(stateAt(await stateFolder()));
    const id = pendingId(approvals);
    const both = await Promise.allSettled([
      approvals.decide(id, { effect: 'deny', by: 'bob' }),
      approvals.decide(id, ALICE),
    ]);
    expect(both.map(({ status }) => status)).toEqual(['fulfilled', 'rejected']);
    expect((both[1] as PromiseRejectedResult).reason).toMatchObject({
      code: 'SWB_APPROVAL_DECIDED',
      message: 'It was denied already, by bob.',
      data: { state: 'denied' },
    });
    expect(approvals.claim(request()).status).toBe('denied');
  });

  it('by two operators at two gateways at once is made once, and both gateways keep to it', async () => {
    const folder = await stateFolder();
    const [one, other] = [await open(stateAt(folder)), await open(stateAt(folder))];
    for (let i = 0; i < 10; i++) {
      const id = pendingId(one, { arguments: i });
      await untilTrue(async () => other.get(id) !== undefined);
      const both = await Promise.allSettled([one.decide(id, ALICE), other.decide(id, { effect: 'deny', by: 'bob' })]);
      expect(both.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
      const [made, by] =
        both[0].status === 'fulfilled' ? (['approved', 'alice'] as const) : (['denied', 'bob'] as const);
      const lost = both.find(({ status }) => status === 'rejected') as PromiseRejectedResult;
      expect(lost.reason).toMatchObject({
        code: 'SWB_APPROVAL_DECIDED',
        message: `It was ${made} already, by ${by}.`,
        data: { state: made },
      });
      await untilTrue(async () => one.get(id)?.state === made && other.get(id)?.state === made);
      const [first, second] = [one, other].map((each) => each.claim(request({ arguments: i })).status);
      expect([first, second]).toEqual([made, made]);
    }
  });

  it('that cannot be written changes nothing', async () => {
    const state = memoryState(silentLog);
    const approvals = await open(state);
    const id = pendingId(approvals);
    const { set } = state.kv;
    state.kv.set = async () => Promise.reject(new Error('disk full'));
    await expect(approvals.decide(id, ALICE)).rejects.toThrow('disk full');
    expect(approvals.claim(request()).status).toBe('pending');
    state.kv.set = set;
    await approvals.decide(id, ALICE);
    expect(approvals.claim(request()).status).toBe('approved');
  });

  it('reaches every listener, also when one of them fails', async () => {
    const approvals = await open();
    const seen: string[] = [];
    approvals.onChange(() => {
      throw new Error('bad listener');
    });
    const stop = approvals.onChange(({ state }: Approval) => void seen.push(state));
    await approvals.decide(pendingId(approvals), ALICE);
    approvals.claim(request());
    pendingId(approvals);
    now += 60_000;
    approvals.list();
    stop();
    pendingId(approvals);
    expect(seen).toEqual(['pending', 'approved', 'spent', 'pending', 'expired']);
  });
});

describe('a flood of approvals', () => {
  const nth = (principal: string, i: number) => request({ principal, arguments: { i } });

  it('by one principal is refused beyond its pending ones, with their number and when the first of them expires', async () => {
    const approvals = await open(undefined, { pendingPerPrincipal: 4 });
    const others = [pendingId(approvals, { principal: 'b' }), pendingId(approvals, { principal: 'c' })];
    const denied = as(approvals.claim(nth('a', -1)), 'pending').approval.id;
    await approvals.decide(denied, { effect: 'deny', by: 'bob' });
    const first = as(approvals.claim(nth('a', 0)), 'pending').approval;
    for (let i = 1; i < 4; i++) approvals.claim(nth('a', i));
    for (let i = 4; i < 1_000; i++) {
      expect(() => approvals.claim(nth('a', i))).toThrow(
        expect.objectContaining({
          code: 'SWB_RATE_LIMITED',
          message: expect.stringMatching(/^4 calls of this caller wait for approval: the most there may be\./),
          data: expect.objectContaining({ approvals: 4, expiresAt: first.expiresAt, retryAfterMs: expect.any(Number) }),
        }),
      );
    }
    expect(as(approvals.claim(nth('a', 0)), 'pending').approval.id).toBe(first.id);
    expect(approvals.claim(nth('a', -1)).status).toBe('denied');
    for (const id of others) expect(approvals.get(id)?.state).toBe('pending');
    await approvals.decide(first.id, ALICE);
    expect(approvals.claim(nth('a', 4)).status).toBe('pending');
  });

  it('that are decided and not used is refused too, and takes the places of those that have ended', async () => {
    const approvals = await open(undefined, { perPrincipal: 3 });
    const decide = (i: number) => approvals.decide(as(approvals.claim(nth('a', i)), 'pending').approval.id, ALICE);
    for (let i = 0; i < 3; i++) await decide(i);
    expect(() => approvals.claim(nth('a', 3))).toThrow(/^3 calls of this caller .*not used yet: the most there may be/);
    expect(approvals.claim(nth('a', 1)).status).toBe('approved');
    expect(approvals.claim(nth('a', 3)).status).toBe('pending');
    expect(approvals.list().map(({ state }) => state)).toEqual(['approved', 'approved', 'pending']);
  });

  it('by several principals leaves a later one its share', async () => {
    const approvals = await open(undefined, { perPrincipal: 4, total: 8 });
    for (let i = 0; i < 4; i++) for (const principal of ['a', 'b']) approvals.claim(nth(principal, i));
    for (let i = 0; i < 4; i++) approvals.claim(nth('late', i));
    const counts = Map.groupBy(approvals.list(), ({ principal }) => principal);
    expect(approvals.list()).toHaveLength(8);
    expect([...counts.values()].map(({ length }) => length).sort()).toEqual([2, 3, 3]);
  });

  it('by as many principals as there are places refuses the next one', async () => {
    const approvals = await open(undefined, { perPrincipal: 4, total: 3 });
    for (const principal of ['a', 'b', 'c']) approvals.claim(nth(principal, 0));
    expect(() => approvals.claim(nth('d', 0))).toThrow(expect.objectContaining({ code: 'SWB_RATE_LIMITED' }));
    expect(approvals.list().map(({ principal }) => principal)).toEqual(['a', 'b', 'c']);
  });

  it('of argument bytes is shortened so that every member still shows', async () => {
    const approvals = await open();
    const shown = { text: 'x'.repeat(1024 * 1024), path: '/etc/passwd' };
    const { approval } = as(approvals.claim(request({ shown })), 'pending');
    expect(Buffer.byteLength(approval.arguments)).toBeLessThan(16 * 1024);
    expect(approval.argumentsShortened).toBe(true);
    expect(JSON.parse(approval.arguments).path).toBe('/etc/passwd');
    const wide = Object.fromEntries(Array.from({ length: 5_000 }, (_, i) => [`member${i}é`, i]));
    const other = as(approvals.claim(request({ shown: wide, arguments: wide })), 'pending').approval;
    expect(Buffer.byteLength(other.arguments)).toBeLessThanOrEqual(16 * 1024);
    expect(other.arguments.endsWith('…')).toBe(true);
  });
});

describe('a restart', () => {
  it('keeps pending and decided approvals, and forgets spent ones', async () => {
    const folder = await stateFolder();
    const before = await open(stateAt(folder));
    const waits = pendingId(before);
    const given = pendingId(before, { arguments: 1 });
    const refused = pendingId(before, { arguments: 2 });
    const used = pendingId(before, { arguments: 3 });
    await before.decide(given, ALICE);
    await before.decide(refused, { effect: 'deny', by: 'bob' });
    await before.decide(used, ALICE);
    await as(before.claim(request({ arguments: 3 })), 'approved').durable;
    await before.close();

    const after = await open(stateAt(folder));
    expect(pendingId(after)).toBe(waits);
    expect(after.get(waits)).toEqual(before.get(waits));
    expect(after.get(given)).toEqual(before.get(given));
    expect(after.claim(request({ arguments: 2 }))).toMatchObject({ status: 'denied', by: 'bob' });
    expect(after.claim(request({ arguments: 1 })).status).toBe('approved');
    expect(pendingId(after, { arguments: 3 })).not.toBe(used);
  });

  it('after a crash keeps every decision that was acknowledged, and every use', async () => {
    const folder = await stateFolder();
    const crashed = await open(stateAt(folder));
    const id = pendingId(crashed);
    await crashed.decide(id, ALICE);
    const next = await open(stateAt(folder));
    expect(next.get(id)?.state).toBe('approved');
    await as(next.claim(request()), 'approved').durable;
    const last = await open(stateAt(folder));
    expect(last.list()).toEqual([]);
  });

  it('forgets approvals that have expired meanwhile, and drops records it cannot read', async () => {
    const folder = await stateFolder();
    const before = await open(stateAt(folder));
    pendingId(before);
    await before.close();
    now += 60_000;
    const state = stateAt(folder);
    await state.kv.set('approvals', 'apr_forged', { state: 'approved', id: 'apr_forged' });
    const after = await open(state);
    expect(after.list()).toEqual([]);
    expect(await state.kv.entries('approvals')).toEqual([]);
  });

  it('leaves private files without the arguments themselves', async () => {
    const folder = await stateFolder();
    const approvals = await open(stateAt(folder));
    pendingId(approvals, { arguments: { amount: 5, card: '4111-1111' } });
    await approvals.close();
    for (const file of await readdir(folder)) {
      expect((await stat(join(folder, file))).mode & 0o777).toBe(0o600);
      expect(await readFile(join(folder, file), 'utf8')).not.toContain('4111');
    }
  });
});

describe('two gateways on one state folder', () => {
  it('let one call through per approval, whichever of them decided it', async () => {
    const folder = await stateFolder();
    const one = await open(stateAt(folder));
    const other = await open(stateAt(folder));
    const id = pendingId(one);
    await untilTrue(async () => {
      await other.refresh();
      return other.get(id) !== undefined;
    });
    await other.decide(id, ALICE);
    await one.refresh();
    const first = as(one.claim(request()), 'approved');
    const second = as(other.claim(request()), 'approved');
    const kept = await Promise.allSettled([first.durable, second.durable]);
    expect(kept.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    expect(kept.find(({ status }) => status === 'rejected')).toMatchObject({
      reason: { code: 'SWB_APPROVAL_DECIDED' },
    });
    // Who has lost it has nothing to give back.
    const [loser, store] = kept[0]?.status === 'rejected' ? [first, one] : [second, other];
    loser.release();
    await untilTrue(async () => store.get(id)?.state === 'spent');
  });

  it('learn of each other’s decisions while a call waits', async () => {
    const folder = await stateFolder();
    const one = await open(stateAt(folder));
    const id = pendingId(one);
    const other = await open(stateAt(folder));
    await untilTrue(async () => {
      await other.refresh();
      return other.get(id) !== undefined;
    });
    await other.decide(id, { effect: 'deny', by: 'bob' });
    await untilTrue(async () => one.claim(request()).status === 'denied');
  });
});

it('an approval whose use cannot be written lets no call leave', async () => {
  const folder = await stateFolder();
  const approvals = await open(stateAt(folder));
  await approvals.decide(pendingId(approvals), ALICE);
  await rm(folder, { recursive: true });
  await writeFile(folder, 'no folder');
  const claim = as(approvals.claim(request()), 'approved');
  await expect(claim.durable).rejects.toMatchObject({ code: 'SWB_STATE' });
  expect(approvals.claim(request()).status).toBe('pending');
});
