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
  it('is made known once, however often it is tried and however its arguments are ordered', async () => {
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

  it('goes through once after somebody has approved it', async () => {
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
    await as(claims[0] as Claim, 'approved').kept;
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

  it('can use its approval again when it never left, once', async () => {
    const approvals = await open();
    await approvals.decide(pendingId(approvals), ALICE);
    const first = as(approvals.claim(request()), 'approved');
    first.release();
    first.release();
    const second = as(approvals.claim(request()), 'approved');
    first.release();
    await second.kept;
    expect(approvals.claim(request()).status).toBe('pending');
  });

  it('is not given back an approval that has run out meanwhile', async () => {
    const approvals = await open();
    await approvals.decide(pendingId(approvals), ALICE);
    const { release } = as(approvals.claim(request()), 'approved');
    now += 60_000;
    release();
    expect(approvals.claim(request()).status).toBe('pending');
  });

  it('is answered with a denial until that expires', async () => {
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

describe('time', () => {
  it('that nobody decided in makes it expire; it cannot be decided any more, and is forgotten later', async () => {
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

  it('ends an approval that is not used', async () => {
    const approvals = await open();
    const id = pendingId(approvals);
    now += 59_999;
    expect((await approvals.decide(id, ALICE)).expiresAt).toBe(now + 60_000);
    now += 60_000;
    expect(approvals.claim(request()).status).toBe('pending');
    expect(approvals.get(id)?.state).toBe('expired');
  });
});

describe('deciding', () => {
  it('an id that nobody made is unknown', async () => {
    const approvals = await open();
    const id = pendingId(approvals);
    for (const forged of ['', 'apr_', `${id}x`, id.toLowerCase(), '__proto__', `apr_${'A'.repeat(22)}`]) {
      await expect(approvals.decide(forged, ALICE)).rejects.toMatchObject({ code: 'SWB_UNKNOWN_APPROVAL' });
    }
    expect(approvals.get(id)?.state).toBe('pending');
  });

  it('twice is an error that says who was first, also when both come at once', async () => {
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

  it('that cannot be written decides nothing', async () => {
    const state = memoryState(silentLog);
    const approvals = await open(state);
    const id = pendingId(approvals);
    state.kv.set = async () => Promise.reject(new Error('disk full'));
    await expect(approvals.decide(id, ALICE)).rejects.toThrow('disk full');
    expect(approvals.claim(request()).status).toBe('pending');
  });

  it('is told to those who listen, and one that fails keeps nothing from the others', async () => {
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

describe('a flood', () => {
  const nth = (principal: string, i: number) => request({ principal, arguments: { i } });

  it('by one principal pushes out its own oldest, never what others wait for or what a person decided', async () => {
    const approvals = await open(undefined, { perPrincipal: 4, total: 8 });
    const others = [pendingId(approvals, { principal: 'b' }), pendingId(approvals, { principal: 'c' })];
    const denied = as(approvals.claim(nth('a', -1)), 'pending').approval.id;
    await approvals.decide(denied, { effect: 'deny', by: 'bob' });
    for (let i = 0; i < 1_000; i++) approvals.claim(nth('a', i));
    const left = approvals.list();
    expect(left.filter(({ principal }) => principal === 'a').map((each) => each.arguments)).toHaveLength(4);
    expect(approvals.claim(nth('a', -1)).status).toBe('denied');
    for (const id of others) expect(approvals.get(id)?.state).toBe('pending');
  });

  it('of many leaves those their share who come late', async () => {
    const approvals = await open(undefined, { perPrincipal: 4, total: 8 });
    for (let i = 0; i < 4; i++) for (const principal of ['a', 'b']) approvals.claim(nth(principal, i));
    for (let i = 0; i < 4; i++) approvals.claim(nth('late', i));
    const counts = Map.groupBy(approvals.list(), ({ principal }) => principal);
    expect(approvals.list()).toHaveLength(8);
    expect([...counts.values()].map(({ length }) => length).sort()).toEqual([2, 3, 3]);
  });

  it('of as many principals as there are places is refused rather than let in at another’s cost', async () => {
    const approvals = await open(undefined, { perPrincipal: 4, total: 3 });
    for (const principal of ['a', 'b', 'c']) approvals.claim(nth(principal, 0));
    expect(() => approvals.claim(nth('d', 0))).toThrow(expect.objectContaining({ code: 'SWB_RATE_LIMITED' }));
    expect(approvals.list().map(({ principal }) => principal)).toEqual(['a', 'b', 'c']);
  });

  it('of bytes is cut, and every member stays to be seen', async () => {
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
  it('keeps what waits and what was decided, and forgets what was spent', async () => {
    const folder = await stateFolder();
    const before = await open(stateAt(folder));
    const waits = pendingId(before);
    const given = pendingId(before, { arguments: 1 });
    const refused = pendingId(before, { arguments: 2 });
    const used = pendingId(before, { arguments: 3 });
    await before.decide(given, ALICE);
    await before.decide(refused, { effect: 'deny', by: 'bob' });
    await before.decide(used, ALICE);
    await as(before.claim(request({ arguments: 3 })), 'approved').kept;
    await before.close();

    const after = await open(stateAt(folder));
    expect(pendingId(after)).toBe(waits);
    expect(after.get(waits)).toEqual(before.get(waits));
    expect(after.get(given)).toEqual(before.get(given));
    expect(after.claim(request({ arguments: 2 }))).toMatchObject({ status: 'denied', by: 'bob' });
    expect(after.claim(request({ arguments: 1 })).status).toBe('approved');
    expect(pendingId(after, { arguments: 3 })).not.toBe(used);
  });

  it('without an orderly end: a decision that was answered holds, and so does that one was used', async () => {
    const folder = await stateFolder();
    const crashed = await open(stateAt(folder));
    const id = pendingId(crashed);
    await crashed.decide(id, ALICE);
    const next = await open(stateAt(folder));
    expect(next.get(id)?.state).toBe('approved');
    await as(next.claim(request()), 'approved').kept;
    const last = await open(stateAt(folder));
    expect(last.list()).toEqual([]);
  });

  it('forgets what has expired meanwhile, and drops what it cannot read', async () => {
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

  it('finds private files without the arguments themselves', async () => {
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
  it('one approval lets one call through, whoever decided it', async () => {
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
    const kept = await Promise.allSettled([first.kept, second.kept]);
    expect(kept.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    expect(kept.find(({ status }) => status === 'rejected')).toMatchObject({
      reason: { code: 'SWB_APPROVAL_DECIDED' },
    });
    // Who has lost it has nothing to give back.
    const [loser, store] = kept[0]?.status === 'rejected' ? [first, one] : [second, other];
    loser.release();
    await untilTrue(async () => store.get(id)?.state === 'spent');
  });

  it('takes over a decision by itself while a call waits', async () => {
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

it('a state that cannot be written keeps calls from leaving on an approval', async () => {
  const folder = await stateFolder();
  const approvals = await open(stateAt(folder));
  await approvals.decide(pendingId(approvals), ALICE);
  await rm(folder, { recursive: true });
  await writeFile(folder, 'no folder');
  const claim = as(approvals.claim(request()), 'approved');
  await expect(claim.kept).rejects.toMatchObject({ code: 'SWB_STATE' });
  expect(approvals.claim(request()).status).toBe('pending');
});
