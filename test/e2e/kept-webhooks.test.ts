/** Webhooks of A2A clients whose gateway has gone, or that is one of several on a state: each state of a task is told once. */
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Task } from '@a2a-js/sdk';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RedisServer, startRedis } from '../../src/state/testing/redis-server.ts';
import { type Received, type Receiver, startReceiver, statesIn } from '../a2a/receiver.ts';
import type { LanggraphFixture } from '../fixtures/langgraph.ts';
import { borrowLanggraph } from '../fixtures/shared.ts';
import { grant } from '../policy/grants.ts';
import { a2aClient, about, CARD, message } from './agent-clients.ts';
import { type OwnGateway, type RunningGateway, serveGateway, startReadyGateway } from './gateway.ts';
import { until } from './until.ts';

let graph: LanggraphFixture;
let receiver: Receiver;
let redis: RedisServer;
beforeAll(async () => {
  [graph, receiver, redis] = await Promise.all([borrowLanggraph('2.0'), startReceiver(), startRedis()]);
});
afterAll(async () => {
  await Promise.all([graph?.stop(), receiver?.close(), redis?.close()]);
});

const setup = (gateway = {}) => ({
  servers: { graph: { url: graph.url, kind: 'langgraph' } },
  gateway: { agents: { pushNotifications: { origins: [receiver.origin] } }, ...gateway },
});

const slow = (event: string): number => graph.events.filter((seen) => seen.event === `slow ${event}`).length;

const path = (): string => `/${randomUUID()}`;

/** Begins a task with a webhook, and resolves with it before it is over. */
async function begin(at: RunningGateway, agent: string, text: string, to: string, headers = {}): Promise<Task> {
  const hook = { tenant: '', id: '', taskId: '', url: receiver.origin + to, token: '', authentication: undefined };
  const configuration = { acceptedOutputModes: [], returnImmediately: true, taskPushNotificationConfig: hook };
  return (await (await a2aClient(at, agent, headers)).sendMessage({ ...message(text), configuration })) as Task;
}

const toldAt = (to: string): Received[] => receiver.received.filter(({ path }) => path === to);

const told = (to: string, state: string) =>
  until(
    () => statesIn(toldAt(to)).includes(`TASK_STATE_${state}`),
    () => `${state} to be told: ${JSON.stringify(toldAt(to).map(({ body }) => body))}`,
  );

const TEXT = '40 ticks';

describe('a webhook of a run that outlives its gateway', () => {
  it.each<[string, (folder: string) => Promise<{ here: RunningGateway; end(): Promise<unknown> }>]>([
    [
      'that ends',
      async (folder) => {
        const here = await startReadyGateway({ folder });
        await here.reaches('graph', 'ready');
        return { here, end: here.stop };
      },
    ],
    [
      'that is killed',
      async (folder) => {
        const here = await serveGateway({ folder });
        await until(
          async () => (await fetch(here.at(`/a2a/graph/slow/${CARD}`))).ok,
          () => 'its server to be ready',
        );
        return { here, end: () => here.end('SIGKILL') };
      },
    ],
  ])('%s is told its end by the next one, once, and no state twice', async (_, start) => {
    const first = await startReadyGateway(setup());
    await first.stop();
    const { here, end } = await start(first.folder);
    let next: OwnGateway | undefined;
    try {
      const before = slow('started');
      const to = path();
      const task = await begin(here, 'graph/slow', '40', to);
      await told(to, 'WORKING');
      await until(() => slow('started') > before, 'the run at its server');
      await end();
      next = await startReadyGateway({ folder: first.folder });
      await told(to, 'COMPLETED');
      expect(slow('started')).toBe(before + 1);
      expect(statesIn(toldAt(to))).toEqual(['TASK_STATE_WORKING', 'TASK_STATE_COMPLETED']);
      expect(toldAt(to).at(-1)?.body.statusUpdate.taskId).toBe(task.id);
      expect(JSON.stringify(toldAt(to).at(-2)?.body.artifactUpdate.artifact.parts)).toContain(TEXT);
    } finally {
      await end();
      await next?.stop();
      await first.close();
    }
  });

  it('is told a question once, and after the restart what comes of its answer', async () => {
    let own = await startReadyGateway(setup());
    try {
      const to = path();
      const { id: taskId, contextId } = await begin(own, 'graph/approval', 'start', to);
      await told(to, 'INPUT_REQUIRED');
      await own.stop();
      own = await startReadyGateway({ folder: own.folder });
      await own.reaches('graph', 'ready');
      const caller = await a2aClient(own, 'graph/approval');
      await until(async () => (await caller.getTask(about(taskId))).status?.state === 6, 'the question');
      await caller.sendMessage(message('yes', { taskId, contextId }));
      await told(to, 'COMPLETED');
      const states = statesIn(toldAt(to));
      expect(states.filter((state) => state === 'TASK_STATE_INPUT_REQUIRED')).toHaveLength(1);
      expect(states.at(-1)).toBe('TASK_STATE_COMPLETED');
    } finally {
      await own.close();
    }
  });

  it('is told nothing where its grant is gone after the restart', async () => {
    const open = { version: '1', default: 'allow' };
    const [ada, bob] = [grant({ policy: open }), grant({ policy: open })];
    let own = await startReadyGateway(setup({ grants: { ada: ada.entry, bob: bob.entry } }));
    try {
      const [gone, kept] = [path(), path()];
      // That the next gateway has looked at all webhooks shows at one whose receiver was away.
      let isAway = true;
      receiver.answers(kept, (res) => res.writeHead(isAway ? 503 : 204).end());
      const before = slow('started');
      await begin(own, 'graph/slow', '20', gone, ada.headers);
      const { id } = await begin(own, 'graph/echo', 'hello', kept, bob.headers);
      await told(gone, 'WORKING');
      await until(() => slow('started') === before + 1, 'the run at its server');
      const caller = await a2aClient(own, 'graph/echo', bob.headers);
      await until(async () => (await caller.getTask(about(id))).status?.state === 3, 'the end of the other task');
      await own.stop();
      isAway = false;
      const heard = toldAt(kept).length;
      const config = JSON.parse(readFileSync(own.file, 'utf8'));
      delete config.gateway.grants.ada;
      own.writeText(JSON.stringify(config));
      own = await startReadyGateway({ folder: own.folder });
      await until(() => statesIn(toldAt(kept).slice(heard)).includes('TASK_STATE_COMPLETED'), 'its end to be told');
      expect(statesIn(toldAt(gone))).toEqual(['TASK_STATE_WORKING']);
    } finally {
      await own.close();
    }
  });

  it('whose receiver was away when the gateway ended is told by the next one', async () => {
    let own = await startReadyGateway(setup());
    try {
      const to = path();
      let isAway = true;
      receiver.answers(to, (res) => res.writeHead(isAway ? 503 : 204).end());
      await begin(own, 'graph/echo', 'hello', to);
      await receiver.at(to, 1);
      await until(async () => {
        const { tasks } = await (await a2aClient(own, 'graph/echo')).listTasks({
          ...{ contextId: '', status: 0, pageToken: '', tenant: '' },
        } as never);
        return tasks[0]?.status?.state === 3;
      }, 'the end of the task');
      await own.stop();
      isAway = false;
      const before = toldAt(to).length;
      own = await startReadyGateway({ folder: own.folder });
      await until(() => statesIn(toldAt(to).slice(before)).includes('TASK_STATE_COMPLETED'), 'its end to be told');
    } finally {
      await own.close();
    }
  });
});

describe.each(['a folder', 'a Redis'])('gateways on one state in %s', (kind) => {
  let here: OwnGateway;
  let there: OwnGateway;
  beforeAll(async () => {
    if (kind === 'a folder') {
      here = await startReadyGateway(setup());
      there = await startReadyGateway({ folder: here.folder });
    } else {
      const state = `redis://127.0.0.1:${redis.port}`;
      [here, there] = await Promise.all([startReadyGateway(setup({ state })), startReadyGateway(setup({ state }))]);
    }
    await there.reaches('graph', 'ready');
  });
  afterAll(async () => {
    await there?.close();
    await here?.close();
  });

  it('tell a webhook that was registered at another one than reads the run, once, until it is deleted at either', async () => {
    const [first, second] = [path(), path()];
    const task = await begin(here, 'graph/slow', '40', first);
    await told(first, 'WORKING');
    const caller = await a2aClient(there, 'graph/slow');
    const hook = (to: string) => ({
      ...{ tenant: '', id: '', taskId: task.id, url: receiver.origin + to, token: '', authentication: undefined },
    });
    const gone = path();
    await caller.createTaskPushNotificationConfig(hook(second));
    const made = await (await a2aClient(here, 'graph/slow')).createTaskPushNotificationConfig(hook(gone));
    await told(second, 'WORKING');
    await told(gone, 'WORKING');
    await caller.deleteTaskPushNotificationConfig({ tenant: '', taskId: task.id, id: made.id });
    await told(first, 'COMPLETED');
    await told(second, 'COMPLETED');
    for (const to of [first, second]) {
      expect(statesIn(toldAt(to))).toEqual(['TASK_STATE_WORKING', 'TASK_STATE_COMPLETED']);
    }
    expect(statesIn(toldAt(gone))).toEqual(['TASK_STATE_WORKING']);
  });
});
