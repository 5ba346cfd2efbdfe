import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { replicaCases, stateCases } from '../cases.ts';
import { openState } from '../open.ts';
import type { Reservation, State } from '../state.ts';
import { DAY, MINUTE, passing, recorder, taken, use } from '../testing/uses.ts';
import { openSqliteState, type SqliteStateOptions } from './sqlite-state.ts';

const T = Date.UTC(2026, 10, 20, 12, 0, 0);
const folders: string[] = [];
const opened: State[] = [];
const children: ChildProcess[] = [];

async function folder(): Promise<string> {
  const made = await mkdtemp(join(tmpdir(), 'swb-state-'));
  folders.push(made);
  return made;
}

function open(at: string, options: Partial<SqliteStateOptions> = {}): State {
  const state = openSqliteState(at, { log: recorder(), ...options });
  opened.push(state);
  return state;
}

afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  for (const state of opened.splice(0)) await state.close();
  for (const made of folders.splice(0)) await rm(made, { recursive: true, force: true });
});

const files = async (at: string): Promise<string[]> => (await readdir(at)).sort();

interface Helper {
  child: ChildProcess;
  line(): Promise<string>;
}

async function helper(...args: string[]): Promise<Helper> {
  const child = spawn(process.execPath, [join(import.meta.dirname, '../testing/count-process.ts'), ...args], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  children.push(child);
  const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream })[Symbol.asyncIterator]();
  const line = async (): Promise<string> => String((await lines.next()).value);
  await line();
  return { child, line };
}

describe('state in SQLite', () => {
  stateCases(async (options) => open(join(await folder(), 'state'), options));
  replicaCases(async () => {
    const at = await folder();
    return [open(at), open(at)];
  });
});

describe('counters whose database fails', () => {
  const together = async () => {
    const at = await folder();
    const log = recorder();
    const [one, other] = [open(at, { log, tryAloneEveryMs: 5 }), open(at, { tryAloneEveryMs: 60_000 })];
    for (const { counters } of [one, other]) taken(await counters.reserve([use({ max: 100 })], T));
    return { log, one, other, db: new DatabaseSync(join(at, 'shared.db')) };
  };

  it('are counted in memory, also where no call is there to notice: the process goes on', async () => {
    const { log, one, other, db } = await together();
    db.exec('DROP TABLE counters');
    db.close();
    await other.close();
    // Its timer finds it alone, and the table gone.
    await vi.waitFor(() => expect(log.warnings).toHaveLength(1));
    taken(await one.counters.reserve([use({ max: 100 })], T));
  });

  it('are counted together again, exactly, once it can be written', async () => {
    const { one, other, db } = await together();
    const used = async ({ counters }: State) => (await counters.read([use({ max: 100 })], T)).counts[0]?.used;
    db.exec("CREATE TRIGGER broken BEFORE UPDATE ON counters BEGIN SELECT RAISE(ABORT, 'full'); END");
    taken(await one.counters.reserve([use({ max: 100 })], T));
    expect(await used(other)).toBe(2);
    db.exec('DROP TRIGGER broken');
    db.close();
    await vi.waitFor(async () => expect(await used(other)).toBe(3), { timeout: 10_000 });
    for (const { counters } of [other, one, other]) taken(await counters.reserve([use({ max: 100 })], T));
    expect([await used(one), await used(other)]).toEqual([6, 6]);
  });
});

describe('counters of a process whose database fails while another one goes on counting', () => {
  it.each([
    ['calendar', false],
    ['sliding', true],
  ])('are added to those of the other, in a %s window', async (_kind, sliding) => {
    const at = await folder();
    const [one, other] = [open(at, { tryAloneEveryMs: 60_000 }), open(at, { tryAloneEveryMs: 60_000 })];
    const calls = use({ max: 100, sliding });
    const used = async ({ counters }: State) => (await counters.read([calls], T)).counts[0]?.used;
    for (const { counters } of [one, other]) taken(await counters.reserve([calls], T));
    const db = new DatabaseSync(join(at, 'shared.db'));
    db.exec("CREATE TRIGGER broken BEFORE UPDATE ON counters BEGIN SELECT RAISE(ABORT, 'full'); END");
    taken(await one.counters.reserve([calls], T)).rollback();
    for (let i = 0; i < 3; i++) taken(await one.counters.reserve([calls], T));
    db.exec('DROP TRIGGER broken');
    db.close();
    // The first one still counts for itself.
    for (let i = 0; i < 5; i++) taken(await other.counters.reserve([calls], T));
    expect([await used(one), await used(other)]).toEqual([5, 7]);
    await vi.waitFor(async () => expect(await used(other)).toBe(10), { timeout: 10_000 });
    await vi.waitFor(async () => expect(await used(one)).toBe(10), { timeout: 10_000 });
  });
});

describe('several processes on one state folder', () => {
  async function together(...jobs: string[][]): Promise<string[]> {
    const helpers = await Promise.all(jobs.map((job) => helper(...job)));
    for (const { child } of helpers) child.stdin?.write('go\n');
    return Promise.all(helpers.map(({ line }) => line()));
  }

  it('count together: never more than max', async () => {
    const at = await folder();
    const granted = await together([at, 'count', '2000'], [at, 'count', '2000'], [at, 'count', '2000']);
    expect(granted.reduce((sum, each) => sum + Number(each), 0)).toBe(2000);
  });

  it('take an entry once', async () => {
    const at = await folder();
    await open(at).kv.set('n', 'k', 'value');
    const took = await together([at, 'take', 'k'], [at, 'take', 'k']);
    expect(took.sort()).toEqual(['"value"', 'null']);
  });

  it('are held up by one that holds the lock, without blocking, and go on when it dies', async () => {
    const at = await folder();
    const state = open(at);
    const { child } = await helper(at, 'hold');
    const changes = Promise.all([state.kv.set('n', 'k', 1), state.counters.reserve([use()], T)]);
    let settled = false;
    void changes.then(() => {
      settled = true;
    });
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(settled).toBe(false);
    child.kill('SIGKILL');
    expect((await changes)[1].granted).toBe(true);
    expect(await state.kv.get('n', 'k')).toBe(1);
  });

  it('receive messages in the order they were published, also when the first had to wait for the lock', async () => {
    const at = await folder();
    const [one, other] = [open(at), open(at)];
    const seen: unknown[] = [];
    other.bus.subscribe('t', (message) => void seen.push(message));
    const db = new DatabaseSync(join(at, 'shared.db'));
    db.exec('BEGIN EXCLUSIVE');
    for (const n of [1, 2]) one.bus.publish('t', n);
    await new Promise((resolve) => setImmediate(resolve));
    db.exec('COMMIT');
    db.close();
    one.bus.publish('t', 3);
    await vi.waitFor(() => expect(seen).toEqual([1, 2, 3]), { timeout: 5_000 });
  });

  it('fail with an error, having changed nothing, when one holds the lock for too long', async () => {
    const at = await folder();
    const state = open(at, { lockWaitMs: 50 });
    await helper(at, 'hold');
    const locked = { code: 'SWB_STATE', message: 'The state folder stays locked by another process.' };
    await expect(state.kv.set('n', 'k', 1)).rejects.toMatchObject(locked);
    await expect(state.counters.reserve([use()], T)).rejects.toMatchObject(locked);
    expect(await state.kv.get('n', 'k')).toBeUndefined();
  });
});

describe('a state folder', () => {
  it('holds everything after a restart, orderly or not', async () => {
    const at = await folder();
    const before = open(at);
    await before.kv.set('servers', 'a', { url: 'http://a' });
    const secret = await before.secret('s');
    for (const end of [async () => {}, () => before.close()]) {
      await end();
      const after = open(at);
      expect(await after.kv.entries('servers')).toEqual([['a', { url: 'http://a' }]]);
      expect(await after.secret('s')).toEqual(secret);
      expect(after.replica).not.toBe(before.replica);
    }
  });

  it('is readable by its owner only', async () => {
    const at = join(await folder(), 'deep', 'state');
    const state = open(at);
    await state.kv.set('servers', 'a', 1);
    expect((await stat(at)).mode & 0o777).toBe(0o700);
    for (const file of await files(at)) expect((await stat(join(at, file))).mode & 0o777).toBe(0o600);
  });

  it('holds nothing but the state when it is closed', async () => {
    const at = await folder();
    const state = open(at);
    await Promise.all([state.kv.set('a', 'k', 1), state.kv.set('b', 'k', 1), state.kv.delete('a', 'none')]);
    await state.counters.reserve([use()]);
    await state.close();
    expect(await files(at)).toEqual(['bus', 'counting.lock', 'shared.db', 'state.db']);
  });

  it.each([
    ['text', 'not a database, but long enough to be read as one by somebody who is not careful'],
    ['half a file', undefined],
  ])('sets a corrupt database aside with a warning and starts empty: %s', async (_what, how) => {
    const at = await folder();
    const file = join(at, 'state.db');
    const before = open(at);
    for (let i = 0; i < 50; i++) await before.kv.set('n', `${i}`, 'x'.repeat(1_000));
    await before.close();
    await writeFile(file, how ?? (await readFile(file)).subarray(0, 20_000));
    const damaged = await readFile(file);
    const log = recorder();
    const state = open(at, { log });
    expect(await state.kv.entries('n')).toEqual([]);
    await state.kv.set('n', 'a', 1);
    expect(await state.kv.get('n', 'a')).toBe(1);
    expect(log.warnings).toHaveLength(1);
    const aside = (await files(at)).find((name) => name.startsWith('state.db.corrupt-'));
    expect(await readFile(join(at, aside ?? ''))).toEqual(damaged);
  });

  it('of a newer version is refused, and left as it is', async () => {
    const at = await folder();
    await open(at).close();
    const db = new DatabaseSync(join(at, 'state.db'));
    db.exec('PRAGMA user_version = 2');
    db.close();
    expect(() => open(at)).toThrow(
      expect.objectContaining({ code: 'SWB_STATE', message: expect.stringContaining('newer version') }),
    );
    expect(await files(at)).toContain('state.db');
  });

  it('that was removed makes changes fail rather than be forgotten', async () => {
    const at = await folder();
    const state = open(at);
    await rm(at, { recursive: true });
    await expect(state.kv.set('n', 'k', 1)).rejects.toMatchObject({ code: 'SWB_STATE' });
  });
});

describe('counters in SQLite', () => {
  it('survive a restart, as far as their windows last', async () => {
    const at = await folder();
    const day = use({ key: 'day', windowMs: DAY });
    const sliding = use({ key: 'sliding', sliding: true });
    const before = open(at).counters;
    for (const one of [use(), day, sliding]) {
      for (let i = 0; i < 2; i++) taken(await before.reserve([one], T + 30_000)).commit();
    }
    const reopened = async (now: number): Promise<number[]> => {
      const { counters } = open(at);
      const passed: number[] = [];
      for (const one of [use(), day, sliding]) passed.push(await passing(counters, one, now));
      return passed;
    };
    expect(await reopened(T + 40_000)).toEqual([1, 1, 1]);
    expect(await reopened(T + 95_000)).toEqual([3, 0, 2]);
  });

  it('survive in any number', async () => {
    const at = await folder();
    const before = open(at);
    for (let i = 0; i < 500; i++) taken(await before.counters.reserve([use({ key: `k${i % 100}`, max: 9 })], T));
    await before.close();
    const { counters } = open(at);
    for (let i = 0; i < 100; i++) expect(await passing(counters, use({ key: `k${i}`, max: 9 }), T + 1)).toBe(4);
  });

  it('are removed when their window is over', async () => {
    const at = await folder();
    const state = open(at);
    for (let i = 0; i < 100; i++) taken(await state.counters.reserve([use({ key: `k${i}` })], T));
    taken(await state.counters.reserve([use()], T + MINUTE));
    await state.close();
    const rows = new DatabaseSync(join(at, 'shared.db')).prepare('SELECT id FROM counters').all();
    expect(rows).toHaveLength(1);
  });

  it('are kept, for a window at most, when the clock was set back in between', async () => {
    const at = await folder();
    expect(await passing(open(at).counters, use(), T)).toBe(3);
    const after = open(at).counters;
    expect(await passing(after, use(), T - DAY)).toBe(0);
    expect(await passing(after, use(), T - DAY + MINUTE)).toBe(3);
  });

  it('do not hold for a limit whose window was changed', async () => {
    const at = await folder();
    expect(await passing(open(at).counters, use(), T)).toBe(3);
    const after = open(at).counters;
    expect(await passing(after, use({ windowMs: 3_600_000 }), T + 1)).toBe(3);
    expect(await passing(after, use({ sliding: true }), T + 1)).toBe(3);
    expect(await passing(after, use(), T + 1)).toBe(0);
  });

  it('are in the files soon after they change, without waiting for the end', async () => {
    const at = await folder();
    taken(await open(at).counters.reserve([use()], T));
    const rows = new DatabaseSync(join(at, 'shared.db')).prepare('SELECT id FROM counters');
    await expect.poll(() => rows.all()).toHaveLength(1);
  });

  it('are counted at once by a process that is alone, and handed over when another one comes', async () => {
    const at = await folder();
    const one = open(at, { tryAloneEveryMs: 20 });
    // The first look into the folder decides.
    const first = taken(one.counters.reserve([use()], T) as Reservation);
    const other = open(at);
    const waits = other.counters.reserve([use()], T);
    expect(waits).toBeInstanceOf(Promise);
    taken(await waits);
    taken(await one.counters.reserve([use()], T));
    expect((await other.counters.reserve([use()], T)).granted).toBe(false);
    first.rollback();
    expect(await passing(other.counters, use(), T)).toBe(1);
    const size = (): number =>
      Number(new DatabaseSync(join(at, 'shared.db')).prepare('SELECT row FROM counters').all().length);
    expect(size()).toBe(1);
    await other.close();
    // Alone again: counts are no longer written at once.
    await expect
      .poll(
        async () => {
          const before = size();
          taken(await one.counters.reserve([use({ key: `k${Math.random()}` })], T));
          return size() - before;
        },
        { interval: 50 },
      )
      .toBe(0);
    expect((await one.counters.reserve([use()], T)).granted).toBe(false);
  });

  it.each([1, 2])('that cannot be written are counted on in memory, with one warning (processes: %s)', async (n) => {
    const at = await folder();
    const log = recorder();
    const { counters } = open(at, { log });
    taken(await counters.reserve([use()], T));
    if (n === 2) taken(await open(at).counters.reserve([use({ key: 'other' })], T));
    const held = taken(await counters.reserve([use()], T));
    const db = new DatabaseSync(join(at, 'shared.db'));
    db.exec('ALTER TABLE counters RENAME COLUMN ends_at TO gone');
    expect(await passing(counters, use(), T)).toBe(1);
    expect((await counters.reserve([use()], T)).granted).toBe(false);
    const warning = 'The counts of limits could not be written: a restart forgets them.';
    await expect.poll(() => log.warnings).toEqual([warning]);
    held.rollback();
    expect(await passing(counters, use(), T)).toBe(1);
    expect(log.warnings).toHaveLength(1);
  });
});

describe('a state folder of an earlier version', () => {
  const OLD = join(import.meta.dirname, '../testing/old-folder');
  const WRITTEN = Date.UTC(2026, 10, 20, 12, 0, 30);

  it('is taken over whole, once, and its files stay under another name', async () => {
    const at = await folder();
    await cp(OLD, at, { recursive: true });
    const names = ['approvals', 'audit', 'eras', 'runtime-servers'];
    const log = recorder();
    const first = open(at, { log });
    for (const namespace of names) {
      const { entries } = JSON.parse(await readFile(join(OLD, `${namespace}.json`), 'utf8'));
      expect(await first.kv.entries(namespace)).toEqual(entries);
    }
    const [[, key]] = (await first.kv.entries('audit')) as [[string, string]];
    expect((await first.secret('audit')).toString('base64url')).toBe(key);
    const day = use({ windowMs: DAY, max: 5 });
    const sliding = use({ key: 'grant:a sliding', windowMs: DAY, max: 5, sliding: true });
    const { counts } = await first.counters.read([day, sliding], WRITTEN + 7_200_000);
    expect(counts.map(({ used }) => used)).toEqual([2, 2]);
    expect((await first.counters.read([sliding], WRITTEN + DAY)).counts[0]?.used).toBe(1);
    expect(log.warnings).toEqual([]);
    for (const name of [...names, 'counters']) {
      const aside = (await files(at)).filter((file) => file.startsWith(`${name}.json`));
      expect(aside).toEqual([expect.stringMatching(/\.json\.imported-/)]);
      expect(await readFile(join(at, aside[0] as string))).toEqual(await readFile(join(OLD, `${name}.json`)));
    }

    await first.kv.delete('eras', 'one:2235c89b146567ce');
    const second = open(at);
    expect(await second.kv.entries('eras')).toEqual([]);
    expect(await second.kv.entries('approvals')).toHaveLength(3);
  });

  it('is taken over once by several that start together, and what an earlier version wrote since is added', async () => {
    const at = await folder();
    await cp(OLD, at, { recursive: true });
    const helpers = await Promise.all([helper(at, 'take', 'x'), helper(at, 'take', 'x')]);
    const state = open(at);
    expect(await state.kv.entries('approvals')).toHaveLength(3);
    const late = {
      format: 1,
      entries: [
        ['late', 1],
        ['new', 2],
      ],
    };
    await state.kv.set('runtime-servers', 'late', 'changed since');
    await writeFile(join(at, 'runtime-servers.json'), JSON.stringify(late));
    expect(await open(at).kv.entries('runtime-servers')).toEqual([
      ['late', 'changed since'],
      ['10', expect.anything()],
      ['new', 2],
    ]);
    for (const { child } of helpers) child.kill('SIGKILL');
    await Promise.all(helpers.map(({ child }) => child.exitCode ?? child.signalCode ?? once(child, 'exit')));
  });

  it('leaves files alone that are not the state’s', async () => {
    const at = await folder();
    await writeFile(join(at, 'switchboard.json'), '{}');
    open(at);
    expect(await readFile(join(at, 'switchboard.json'), 'utf8')).toBe('{}');
  });

  it.each([
    ['text', 'not json'],
    ['half a file', '{"format":1,"entries":[["a",'],
    ['another format', '{"format":2,"entries":[]}'],
    ['no pairs', '{"format":1,"entries":[1]}'],
    ['an empty file', ''],
  ])('has corrupt files set aside with a warning, and starts empty: %s', async (_what, text) => {
    const at = await folder();
    await writeFile(join(at, 'runtime-servers.json'), text);
    const log = recorder();
    const { kv } = open(at, { log });
    expect(await kv.entries('runtime-servers')).toEqual([]);
    expect(log.warnings).toHaveLength(1);
    const aside = (await files(at)).find((name) => name.startsWith('runtime-servers.json.corrupt-'));
    expect(await readFile(join(at, aside ?? ''), 'utf8')).toBe(text);
  });

  it.each([
    ['no page', 7],
    ['another format', { format: 2, counts: [] }],
    ['no pairs', { format: 1, counts: [1] }],
    ['an unknown kind of window', { format: 1, counts: [['x60000 k', [T, 1]]] }],
    ['no window', { format: 1, counts: [['c0 k', [T, 1]]] }],
    ['a negative count', { format: 1, counts: [['c60000 k', [T, -5]]] }],
    ['a sliding window out of order', { format: 1, counts: [['s60000 k', [T, T, 1, T - 9, T - 9, 1]]] }],
    ['text for a number', { format: 1, counts: [['c60000 k', [T, '1']]] }],
  ])('starts its counts at nothing, with a warning, when they are broken: %s', async (_what, page) => {
    const at = await folder();
    const entries = [
      ['page-0', { format: 1, counts: [['c60000 grant:a calls', [T, 3]]] }],
      ['page-1', page],
    ];
    await writeFile(join(at, 'counters.json'), JSON.stringify({ format: 1, entries }));
    const log = recorder();
    expect(await passing(open(at, { log }).counters, use(), T)).toBe(3);
    expect(log.warnings).toEqual(['The counts of limits could not be read: they start at nothing.']);
  });

  it('starts its counts at nothing when their file is cut off', async () => {
    const at = await folder();
    await writeFile(join(at, 'counters.json'), '{"format":1,"entries":[["page-0",');
    const log = recorder();
    expect(await passing(open(at, { log }).counters, use(), T)).toBe(3);
    expect(log.warnings).toHaveLength(1);
  });
});

describe('openState', () => {
  it('keeps everything in memory when no folder is configured', async () => {
    const { kv } = openState(undefined, recorder());
    await kv.set('n', 'k', 1);
    expect(await kv.get('n', 'k')).toBe(1);
  });

  it('warns and works on in memory when the folder cannot be used', async () => {
    const file = join(await folder(), 'a-file');
    await writeFile(file, '');
    const log = recorder();
    const { kv } = openState(join(file, 'state'), log);
    await kv.set('n', 'k', 1);
    expect(await kv.get('n', 'k')).toBe(1);
    expect(log.warnings).toEqual(['The state folder cannot be used: nothing will survive a restart.']);
  });
});
