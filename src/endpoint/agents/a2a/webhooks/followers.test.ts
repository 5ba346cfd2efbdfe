import { randomBytes } from 'node:crypto';
import type { Task, TaskPushNotificationConfig } from '@a2a-js/sdk';
import { ServerCallContext } from '@a2a-js/sdk/server';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { recordingLog } from '../../../../../adapters/testing/context.ts';
import { VaultKeys } from '../../../../auth/upstream/vault-keys.ts';
import type { Identity } from '../../../../core/identity.ts';
import { subscribe, type WebhookEvent } from '../../../../observe/events.ts';
import { memoryState } from '../../../../state/memory/memory-state.ts';
import { Kept } from '../../kept.ts';
import type { AgentRuns } from '../../turn.ts';
import { RUN_META, STATE } from '../events.ts';
import { loadSdk } from '../sdk.ts';
import { KeptTasks } from '../tasks.ts';
import { Followers } from './followers.ts';
import type { Notice } from './payload.ts';
import type { Sender, SendOptions, Sent } from './send.ts';
import { SEND_TIMES } from './send.ts';
import { type Version, WebhookStore } from './store.ts';

const ADA: Identity = { principal: 'ada', grant: 'ada', claims: {} };
const ORIGIN = 'https://hooks.example';
const [OLD, NEW] = [randomBytes(32), randomBytes(32)];
const TAKEN: Sent = { failure: undefined, status: 200, attempts: 1 };
const ENDED: Sent = { failure: 'ended', status: undefined, attempts: 0 };

const stops: (() => unknown)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});

const contextOf = (identity = ADA, requestedVersion: Version = '1.0') =>
  new ServerCallContext({
    user: { isAuthenticated: true, userName: identity.principal, identity, sends: false } as never,
    requestedVersion,
  });

const hookAt = (url: string): TaskPushNotificationConfig => ({
  ...{ tenant: '', id: 'mine', taskId: 't', url: ORIGIN + url, token: '', authentication: undefined },
});

type Send = (url: string, notice: Notice, options: SendOptions) => Promise<Sent>;

/** A follower of webhooks on a state, whose notices go to `send`. */
async function following(
  send: Send,
  { state = memoryState(recordingLog()), keys = [OLD] as [Buffer, ...Buffer[]] } = {},
) {
  const sdk = await loadSdk();
  const log = recordingLog();
  const { kv, bus } = state;
  const kept = (namespace: string) => new Kept({ kv, namespace, keepMs: 60_000, most: 30, log });
  const runs = {
    isClosed: false,
    live: () => undefined,
    find: async () => undefined,
    asksOf: () => undefined,
    changed: () => new Promise<void>(() => {}),
  } as unknown as AgentRuns;
  const tasks = new KeptTasks(sdk, { kept: kept('tasks'), runs, threads: kept('threads') });
  const allowed = { stays: true };
  const store = new WebhookStore({
    ...{ kv, keys: new VaultKeys(keys), origins: new Set([ORIGIN]), replica: 'here', keepMs: 60_000, log },
    refuse: (message) => Promise.reject(new Error(message)),
    admit: async () => {},
    onSaved: (key) => followers.registered(key),
    onDeleted: (key) => followers.forgotten(key),
  });
  const sender = {
    times: SEND_TIMES,
    send: ({ url }: { url: string }, notice: Notice, options: SendOptions) => send(url, notice, options),
  } as unknown as Sender;
  const followers = new Followers({
    ...{ instance: 'i', runs, bus, log, origins: new Set([ORIGIN]), store, sender, lookEveryMs: 60_000 },
    tasks: async () => ({ sdk, tasks }),
    mayStay: () => allowed.stays,
  });
  stops.push(() => followers.close());
  const stands = (state: number, run = 'run_1', more: Partial<Task> = {}) =>
    tasks.save(
      {
        ...{ id: 't', contextId: 'c', artifacts: [], history: [], metadata: { [RUN_META]: run } },
        status: { state, message: undefined, timestamp: undefined },
        ...more,
      } as Task,
      contextOf(),
    );
  const hooks = () => store.load('t', contextOf());
  const key = async () => (await store.keys({ identity: ADA, task: 't' }))[0] as string;
  return { runs, kv, log, store, followers, stands, hooks, allowed, key, state };
}

type Following = Awaited<ReturnType<typeof following>>;

/** While it is being told, once: `meanwhile` happens, and then it is asked whether the telling goes on. */
function asking(meanwhile: (at: Following) => unknown) {
  const asked: boolean[] = [];
  const urls: string[] = [];
  let at: Following | undefined;
  const send: Send = async (url, _, { goesOn }) => {
    urls.push(url);
    if (asked.length > 0) return TAKEN;
    await meanwhile(at as Following);
    const goes = await goesOn();
    asked.push(goes);
    return goes ? TAKEN : ENDED;
  };
  const begin = async () => {
    at = await following(send);
    return at;
  };
  return { begin, asked, urls };
}

describe('a webhook that is being told', () => {
  it('is told no more once its grant may do nothing any more', async () => {
    const { begin, asked } = asking(({ allowed }) => {
      allowed.stays = false;
    });
    const { store, stands, hooks } = await begin();
    await stands(STATE.COMPLETED);
    await store.save('t', contextOf(), hookAt('/'));
    await expect.poll(() => asked).toEqual([false]);
    await expect.poll(hooks).toEqual([]);
  });

  it('is left to the process that has its claim, which stays that process’s', async () => {
    const { begin, asked } = asking(async ({ kv, key }) => {
      await kv.set('a2a-webhooks-claims', await key(), 'there');
    });
    const { kv, store, stands, hooks, key, followers } = await begin();
    await stands(STATE.COMPLETED);
    await store.save('t', contextOf(), hookAt('/'));
    await expect.poll(() => asked).toEqual([false]);
    await followers.close();
    expect(await kv.get('a2a-webhooks-claims', await key())).toBe('there');
    expect(await hooks()).toHaveLength(1);
  });

  it('is not told again what another process told it after its claim had lapsed here', async () => {
    const { begin, asked, urls } = asking(async ({ kv, store, key }) => {
      await kv.delete('a2a-webhooks-claims', await key());
      const { registration = '' } = (await store.hook(await key())) ?? {};
      await store.setTold(await key(), { registration, run: 'run_1', rank: 1, key: '' });
    });
    const { kv, store, stands, hooks, key, followers } = await begin();
    await stands(STATE.INPUT_REQUIRED);
    await store.save('t', contextOf(), hookAt('/'));
    await expect.poll(() => asked).toEqual([false]);
    await expect.poll(async () => kv.get('a2a-webhooks-claims', await key())).toBeUndefined();
    await followers.close();
    expect(urls).toEqual([`${ORIGIN}/`]);
    expect(await hooks()).toHaveLength(1);
  });

  it('is told as soon as the state is back where that was away, and the claim could not be released', async () => {
    const urls: string[] = [];
    const away = new Error('The state is away.');
    let back = (): void => {};
    let at: Following | undefined;
    at = await following(async (url, _, { goesOn }) => {
      urls.push(url);
      if (urls.length > 1) return TAKEN;
      const got = vi.spyOn((at as Following).kv, 'get').mockRejectedValue(away);
      back = () => got.mockRestore();
      return (await goesOn()) ? TAKEN : ENDED;
    });
    const { kv, log, store, followers, stands, hooks, key } = at;
    await stands(STATE.COMPLETED);
    await store.save('t', contextOf(), hookAt('/'));
    await expect.poll(() => log.lines).toContainEqual(expect.objectContaining({ fields: { err: away } }));
    back();
    expect(await kv.get('a2a-webhooks-claims', await key())).toBe('here');
    await followers.stirred(ADA, 't');
    await expect.poll(hooks).toEqual([]);
    expect(urls).toHaveLength(2);
  });

  it('is told at its new address the end that comes while it is registered anew', async () => {
    let anew = Promise.resolve();
    const { begin, asked, urls } = asking(({ store }) => {
      anew = store.save('t', contextOf(), hookAt('/new'));
      return anew;
    });
    const { store, stands, hooks } = await begin();
    await stands(STATE.COMPLETED);
    await store.save('t', contextOf(), hookAt('/old'));
    await expect.poll(() => urls).toEqual([`${ORIGIN}/old`, `${ORIGIN}/new`]);
    expect(asked).toEqual([false]);
    await expect.poll(hooks).toEqual([]);
  });

  it('that was registered anew after its last notice was taken keeps the new registration', async () => {
    const urls: string[] = [];
    let at: Following | undefined;
    at = await following(async (url) => {
      urls.push(url);
      if (urls.length === 1) await at?.store.save('t', contextOf(), hookAt('/new'));
      return TAKEN;
    });
    await at.stands(STATE.COMPLETED);
    await at.store.save('t', contextOf(), hookAt('/old'));
    await expect.poll(() => urls).toEqual([`${ORIGIN}/old`, `${ORIGIN}/new`]);
  });

  it('is not told what an earlier run came to once a message has begun another', async () => {
    const { begin, asked } = asking(({ stands }) => stands(STATE.COMPLETED, 'run_2'));
    const { store, stands, hooks } = await begin();
    await stands(STATE.INPUT_REQUIRED);
    await store.save('t', contextOf(), hookAt('/'));
    await expect.poll(() => asked).toEqual([false]);
    await expect.poll(hooks).toEqual([]);
  });

  it('is not taken for overtaken when its time is over: changes alone overtake it', async () => {
    const told: SendOptions[] = [];
    const { store, stands, runs } = await following(async (_url, _notice, options) => {
      told.push(options);
      return TAKEN;
    });
    const changed = vi.spyOn(runs, 'changed');
    await stands(STATE.INPUT_REQUIRED);
    await store.save('t', contextOf(), hookAt('/'));
    await expect.poll(() => told.length).toBe(1);
    expect(changed.mock.calls[0]?.[1]).toBe(Number.POSITIVE_INFINITY);
  });

  it('failed where one of its notices did, though the last one was taken', async () => {
    const events: WebhookEvent[] = [];
    stops.push(subscribe('webhook', (event) => events.push(event)));
    const failed: Sent = { failure: 'status', status: 413, attempts: 1 };
    const { store, stands } = await following(async (_, { body }) =>
      body.includes('artifactUpdate') ? failed : TAKEN,
    );
    const artifacts = [{ artifactId: 'answer', name: '', description: '', parts: [], extensions: [] }];
    await stands(STATE.COMPLETED, 'run_1', { artifacts } as never);
    await store.save('t', contextOf(), hookAt('/'));
    await expect.poll(() => events).toEqual([expect.objectContaining({ failure: 'status', status: 413, attempts: 2 })]);
  });

  it.each(['message', 'artifact'])('is told the state where its %s is longer than a notice may be', async (long) => {
    const bodies: string[] = [];
    const { store, stands } = await following(async (_, { body }) => {
      bodies.push(body);
      return TAKEN;
    });
    const parts = [
      { content: { $case: 'text', value: 'x'.repeat(1024 * 1024) }, metadata: {}, filename: '', mediaType: '' },
    ];
    const said = { messageId: 'm', role: 2, parts, taskId: 't', contextId: 'c', extensions: [], referenceTaskIds: [] };
    const status = {
      state: STATE.COMPLETED,
      message: long === 'message' ? said : undefined,
      timestamp: '2026-01-01T00:00:00.000Z',
    };
    const artifact = { artifactId: 'answer', name: '', description: '', parts, extensions: [] };
    await stands(STATE.COMPLETED, 'run_1', { status, artifacts: long === 'artifact' ? [artifact] : [] } as never);
    await store.save('t', contextOf(), hookAt('/'));
    await expect.poll(() => bodies.at(-1) ?? '').toContain('TASK_STATE_COMPLETED');
    expect(bodies).toHaveLength(long === 'artifact' ? 2 : 1);
    expect(bodies.at(-1)).toContain('2026-01-01');
    for (const body of bodies) expect(body.length).toBeLessThan(1024 * 1024);
    expect(bodies[0]).toContain('GetTask has it');
  });
});

describe('a webhook of 0.3', () => {
  it('is told the state where its message is longer than a notice may be', async () => {
    const bodies: string[] = [];
    const { store, stands } = await following(async (_, { body }) => {
      bodies.push(body);
      return TAKEN;
    });
    const text = { content: { $case: 'text', value: 'x'.repeat(1024 * 1024) }, filename: '', mediaType: '' };
    const message = { ...{ messageId: 'm', role: 2, parts: [text] }, taskId: 't', contextId: 'c' };
    const said = { ...message, metadata: undefined, extensions: [], referenceTaskIds: [] };
    const status = { state: STATE.FAILED, message: said, timestamp: '2026-01-01T00:00:00.000Z' };
    await stands(STATE.FAILED, 'run_1', { status } as never);
    await store.save('t', contextOf(ADA, '0.3'), hookAt('/'));
    await expect.poll(() => bodies).toHaveLength(1);
    expect(bodies[0]?.length).toBeLessThan(1024 * 1024);
    const { status: told } = JSON.parse(bodies[0] ?? '');
    expect(told).toMatchObject({ state: 'failed', timestamp: '2026-01-01T00:00:00.000Z' });
    expect(told.message.parts).toEqual([{ kind: 'text', text: expect.stringContaining('GetTask has it') }]);
  });
});

describe('a webhook whose key is not the first one', () => {
  it('is encrypted with the first one, and keeps its registration', async () => {
    const first = await following(async () => ENDED);
    await first.store.save('t', contextOf(), hookAt('/'));
    const key = await first.key();
    await first.followers.close();
    const next = await following(async () => TAKEN, { state: first.state, keys: [NEW, OLD] });
    const before = await next.store.hook(key);
    await next.store.keys();
    expect((await next.store.hook(key))?.registration).toBe(before?.registration);
    const last = await following(async () => TAKEN, { state: first.state, keys: [NEW] });
    expect(await last.store.target(key)).toMatchObject({ url: `${ORIGIN}/` });
  });

  it('stays where no key opens it, and the log says so once', async () => {
    const sent = vi.fn(async () => TAKEN);
    const first = await following(async () => ENDED);
    await first.store.save('t', contextOf(), hookAt('/'));
    await first.followers.close();
    const next = await following(sent, { state: first.state, keys: [NEW] });
    await next.stands(STATE.COMPLETED);
    const opened = vi.spyOn(next.store, 'target');
    const claimed = vi.spyOn(next.store, 'holds');
    for (const times of [1, 2]) {
      await next.followers.stirred(ADA, 't');
      await expect.poll(() => opened.mock.calls.length).toBe(times);
      await opened.mock.results[times - 1]?.value;
    }
    await next.followers.close();
    expect(claimed).not.toHaveBeenCalled();
    expect(await next.store.hook(await next.key())).toMatchObject({ task: 't' });
    expect(sent).not.toHaveBeenCalled();
    expect(next.log.lines.filter(({ message }) => /does not open/.test(message ?? ''))).toHaveLength(1);
  });
});
