import { createHmac } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type RecordingLog, recordingLog } from '../../../adapters/testing/context.ts';
import { SwitchboardError } from '../../core/errors.ts';
import { openSqliteState } from '../../state/sqlite/sqlite-state.ts';
import type { JsonValue, State } from '../../state/state.ts';
import type { JsonObject } from '../../wire/jsonrpc.ts';
import { ReplicaActions, type ReplicaActionsOptions } from './replica-actions.ts';

const TOPIC = 'admin-actions';

let folder: string;
let states: State[] = [];
let actions: ReplicaActions[] = [];
let log: RecordingLog;
/** What was said on the bus, as another process reads it. */
const said: JsonValue[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'switchboard-actions-'));
  log = recordingLog();
});
afterEach(async () => {
  vi.useRealTimers();
  for (const each of actions.splice(0)) each.close();
  await Promise.all(states.splice(0).map((state) => state.close()));
  states = [];
  actions = [];
  said.splice(0);
  rmSync(folder, { recursive: true, force: true });
});

/** One more replica on the folder. */
function replica(options: Partial<ReplicaActionsOptions> = {}): { state: State; own: ReplicaActions } {
  const state = openSqliteState(folder, { log });
  states.push(state);
  state.bus.subscribe(TOPIC, (message) => void said.push(message));
  const own = new ReplicaActions({
    ...{
      replica: state.replica,
      bus: state.bus,
      token: 'the-admin-token',
      others: othersThan(state),
      log,
      waitMs: 20_000,
    },
    ...options,
  });
  actions.push(own);
  return { state, own };
}

const othersThan = (own: State) => () => states.filter((state) => state !== own).map((state) => state.replica);

/** What a replica with the admin token says, made by hand. */
function sealed(from: State, message: JsonObject): { text: string; code: string } {
  const key = createHmac('sha256', 'the-admin-token').update('actions of operators').digest();
  const text = JSON.stringify(message);
  return { text, code: createHmac('sha256', key).update(`${from.replica}\n${text}`).digest('base64url') };
}

describe('an action of an operator', () => {
  it('is done once by every other replica, and answered with how it went there', async () => {
    const [one, two, three] = [replica(), replica(), replica()];
    const done: unknown[] = [];
    one.own.on('restart', async () => {
      throw new Error('never here');
    });
    two.own.on('restart', async (params) => {
      done.push(['two', params]);
      return { state: 'ready' };
    });
    three.own.on('restart', async (params) => {
      done.push(['three', params]);
      throw new SwitchboardError('SWB_UNKNOWN_SERVER', 'There is no server of that name.');
    });
    const { replies, silent } = await one.own.elsewhere('restart', { name: 'docs' });
    expect(silent).toBe(0);
    expect(replies).toHaveLength(2);
    expect(replies).toEqual(
      expect.arrayContaining([
        { replica: two.state.replica, result: { state: 'ready' } },
        { replica: three.state.replica, problem: 'There is no server of that name.' },
      ]),
    );
    expect(done).toHaveLength(2);
    expect(done).toEqual(
      expect.arrayContaining([
        ['two', { name: 'docs' }],
        ['three', { name: 'docs' }],
      ]),
    );
  });

  it('is answered without a word of what went wrong inside, which is in the log there', async () => {
    const [one, two] = [replica(), replica()];
    two.own.on('restart', async () => {
      throw new Error('a secret of that machine');
    });
    const { replies } = await one.own.elsewhere('restart', {});
    expect(replies).toEqual([
      { replica: two.state.replica, problem: 'It failed there. The log of that replica says why.' },
    ]);
    expect(log.lines).toContainEqual(expect.objectContaining({ level: 'error' }));
  });

  it('that a replica does not know, being of another version, is answered so', async () => {
    const [one, two] = [replica(), replica()];
    const { replies } = await one.own.elsewhere('dance', {});
    expect(replies).toEqual([{ replica: two.state.replica, problem: expect.stringContaining('another version') }]);
  });

  it('waits no longer than it may for replicas that do not answer, and counts them', async () => {
    const { own } = replica({ others: () => ['a', 'b', 'c'], waitMs: 20 });
    expect(await own.elsewhere('restart', {})).toEqual({ replies: [], silent: 3 });
  });

  it('waits for nothing where no other replica is known, and ends with the gateway', async () => {
    const { own } = replica({ others: () => [] });
    expect(await own.elsewhere('restart', {})).toEqual({ replies: [], silent: 0 });
    const waiting = replica({ others: () => ['hangs'], waitMs: 60_000 });
    const elsewhere = waiting.own.elsewhere('restart', {});
    waiting.own.close();
    expect(await elsewhere).toEqual({ replies: [], silent: 1 });
    expect(await waiting.own.elsewhere('restart', {})).toEqual({ replies: [], silent: 1 });
  });

  it('that a replica hangs on is said to be so, though one that has joined meanwhile answers', async () => {
    const one = replica({ others: () => ['hangs'], waitMs: 60_000 });
    const joined = replica();
    joined.own.on('restart', async () => ({ state: 'ready' }));
    const answered = new Promise<void>((resolve) => {
      one.state.bus.subscribe(TOPIC, (_message, from) => {
        if (from === joined.state.replica) resolve();
      });
    });
    const elsewhere = one.own.elsewhere('restart', {});
    await answered;
    one.own.close();
    const replies = [{ replica: joined.state.replica, result: { state: 'ready' } }];
    expect(await elsewhere).toEqual({ replies, silent: 1 });
  });
});

describe('a message that no operator has sent', () => {
  it('is left out: of another admin token, without its code, of another sender, or said again', async () => {
    const one = replica({ others: () => [two.state.replica] });
    const two = replica();
    const other = replica({ token: 'another-admin-token', waitMs: 20 });
    const done: unknown[] = [];
    two.own.on('restart', async ({ name }) => {
      done.push(name);
      return {};
    });
    await other.own.elsewhere('restart', { name: 'of another gateway' });
    await one.own.elsewhere('restart', { name: 'right' });
    expect(done).toEqual(['right']);
    const right = said.find((message) => JSON.stringify(message).includes('right')) as { text: string; code: string };
    const text = right.text.replace('right', 'forged').replace(/"id":"[^"]+"/, '"id":"new"');
    // The sender of these is another replica than that of the right one; the last is the right one once more.
    const forgeries: JsonValue[] = [null, 'text', { text }, { text, code: right.code }, { text: '', code: '' }];
    for (const forged of forgeries) other.state.bus.publish(TOPIC, forged);
    one.state.bus.publish(TOPIC, { text, code: right.code });
    other.state.bus.publish(TOPIC, right);
    one.state.bus.publish(TOPIC, right);
    await one.own.elsewhere('restart', { name: 'last' });
    expect(done).toEqual(['right', 'last']);
  });

  it('is logged seldom, however many come', async () => {
    const [one, two] = [replica(), replica()];
    const done: unknown[] = [];
    two.own.on('restart', async ({ name }) => {
      done.push(name);
      return {};
    });
    for (let each = 0; each < 500; each++) one.state.bus.publish(TOPIC, { text: `{"n":${each}}`, code: 'guessed' });
    await one.own.elsewhere('restart', { name: 'last' });
    expect(done).toEqual(['last']);
    expect(log.lines.filter(({ message }) => message?.includes('another one'))).toHaveLength(1);
  });

  it('is left out when it was recorded and is said again to a process that was not there', async () => {
    const [one, two] = [replica(), replica()];
    two.own.on('restart', async () => ({}));
    await one.own.elsewhere('restart', { name: 'recorded' });
    const recorded = said.find((message) => JSON.stringify(message).includes('recorded')) as JsonValue;
    two.own.close();
    await new Promise((resolve) => setTimeout(resolve, 2));
    const after = replica();
    const done: unknown[] = [];
    after.own.on('restart', async ({ name }) => {
      done.push(name);
      return {};
    });
    one.state.bus.publish(TOPIC, recorded);
    one.state.bus.publish(
      TOPIC,
      sealed(one.state, { id: 'last', at: Date.now(), action: 'restart', params: { name: 'last' } }),
    );
    await expect.poll(() => done).toContain('last');
    expect(done).toEqual(['last']);
  });

  it('is left out when it is not of now, whether by the past, by the future or without a time, and says so', async () => {
    const one = replica();
    vi.useFakeTimers({ toFake: ['Date'] });
    vi.setSystemTime(Date.now() - 300_000);
    const two = replica();
    vi.useRealTimers();
    const done: unknown[] = [];
    two.own.on('restart', async ({ name }) => {
      done.push(name);
      return {};
    });
    const problems = new Map<unknown, unknown>();
    one.state.bus.subscribe(TOPIC, (message, from) => {
      if (from !== two.state.replica) return;
      const { answers, problem } = JSON.parse(String((message as JsonObject).text)) as JsonObject;
      problems.set(answers, problem);
    });
    const sent: [string, JsonValue][] = [
      ['old', -60_000],
      ['young', -50_000],
      ['ahead', 50_000],
      ['too far ahead', 70_000],
    ];
    for (const [id, from] of sent)
      one.state.bus.publish(
        TOPIC,
        sealed(one.state, { id, at: Date.now() + Number(from), action: 'restart', params: { name: id } }),
      );
    for (const at of [null, 'now'])
      one.state.bus.publish(TOPIC, sealed(one.state, { id: String(at), at, action: 'restart', params: { name: at } }));
    await expect.poll(() => problems.size).toBe(6);
    expect(done).toEqual(['young', 'ahead']);
    for (const id of ['old', 'too far ahead', 'null', 'now'])
      expect(problems.get(id)).toContain('Clocks of replicas must agree within a minute');
  });
});
