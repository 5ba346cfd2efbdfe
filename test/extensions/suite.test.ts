/**
 * The official suite's scenarios of the tasks extension, against a legacy server behind the gateway, which has never heard
 * of it: what the gateway makes of its tasks is compared with a server that has the extension.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { freePort } from '../../src/core/testing/free-port.ts';
import { type Results, successes } from '../conformance/harness/checks.ts';
import { compare } from '../conformance/harness/compare.ts';
import { startNamesProxy } from '../conformance/names/proxy.ts';
import { type OwnGateway, startReadyGateway } from '../e2e/gateway.ts';
import { type ModernTasksHttp, startModernTasks } from '../fixtures/tasks/http-modern.ts';
import { type HttpServer, startV1Sessions } from '../fixtures/tasks/http-v1.ts';
import { createV1TaskServer } from '../fixtures/tasks/v1.ts';
import { runScenarios } from './suite.ts';

const SCENARIOS = [
  'tasks-lifecycle',
  'tasks-capability-negotiation',
  'tasks-wire-fields',
  'tasks-request-state-removal',
  'tasks-mrtr-input',
  'tasks-request-headers',
  'tasks-dispatch-and-envelope',
  'tasks-required-task-error',
  'tasks-mrtr-composition',
];

let modern: ModernTasksHttp;
let legacy: HttpServer;
let gateway: OwnGateway;
let direct: Results;

const run = (url: string | URL): Promise<Results> => runScenarios(url, SCENARIOS);

beforeAll(async () => {
  [modern, legacy] = await Promise.all([startModernTasks(), startV1Sessions(createV1TaskServer)]);
  gateway = await startReadyGateway({ servers: { legacy: { url: legacy.url } } });
  direct = await run(modern.url);
});
afterAll(async () => {
  await gateway?.close();
  await Promise.all([modern?.close(), legacy?.close()]);
});

async function through(view: string): Promise<Results> {
  if (view === 'own') return run(gateway.at('/servers/legacy/mcp'));
  const proxy = await startNamesProxy({ port: await freePort(), gateway: gateway.at('/').href, server: 'legacy' });
  try {
    return await run(proxy.url);
  } finally {
    await proxy.stop();
  }
}

describe('the suite’s scenarios of the tasks extension', () => {
  it('all pass on the fixture itself', () => {
    const failed = Object.entries(direct).flatMap(([name, checks]) =>
      Object.entries(checks)
        .filter(([, { status }]) => status !== 'SUCCESS')
        .map(([id, check]) => ({ name, id, ...check })),
    );
    expect(failed).toEqual([]);
    expect(Object.keys(direct).toSorted()).toEqual(SCENARIOS.toSorted());
    expect(Object.values(direct).reduce((sum, checks) => sum + successes(checks), 0)).toBeGreaterThan(30);
  });

  it.each(['own', 'merged'])(
    'hold for a legacy server in the %s view, but for two',
    { timeout: 120_000 },
    async (view) => {
      const losses = compare(direct, await through(view));
      expect(new Set(losses.map(({ scenario }) => scenario))).toEqual(
        new Set([
          // A client without the extension is not refused: the gateway waits for the task in its place.
          'tasks-required-task-error',
          // A legacy server cannot answer a call with a question and make a task of its retry.
          'tasks-mrtr-composition',
        ]),
      );
    },
  );
});
