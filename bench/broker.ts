/**
 * Tools on an MQTT broker: a client of the server's own form beside clients of the gateway, over one broker on loopback, in
 * turns. What the gateway adds is the difference within a round.
 * @module
 */
import { hasMosquitto, startMosquitto } from '../test/fixtures/mosquitto.ts';
import { BROKER_FORMS, type BrokerFormName, formOf } from './broker-forms.ts';
import type { BrokerReply, BrokerRequest } from './broker-process.ts';
import { Child } from './child.ts';
import { Gateway } from './gateway.ts';
import type { LoadReply, LoadRequest } from './load-types.ts';
import type { Layout } from './machine.ts';
import { type Spread, spread } from './statistics.ts';

/** Milliseconds, median: what a call through the gateway may take longer than one without it. */
export const BROKER_BUDGET_MS = 3;

export const BROKER_CALLERS = [1, 16] as const;
const CALLS = 4_000;
const WARMUP_CALLS = 500;
const NAME = 'broker';

export interface BrokerRow {
  form: string;
  target: 'direct' | 'gateway';
  callers: number;
  perSecond: Spread;
  p50: Spread;
  p99: Spread;
  /** Over direct, in the same round. */
  addedP50: Spread | undefined;
}

interface Sample {
  perSecond: number;
  p50: number;
  p99: number;
}

export async function measureBroker(
  layout: Layout,
  rounds: number,
  progress: (text: string) => void,
): Promise<BrokerRow[]> {
  if (!hasMosquitto()) throw new Error('Mosquitto is not installed');
  const rows: BrokerRow[] = [];
  for (const form of Object.keys(BROKER_FORMS) as BrokerFormName[]) {
    rows.push(...(await measureForm(form, layout, rounds, progress)));
  }
  return rows;
}

async function measureForm(
  form: BrokerFormName,
  layout: Layout,
  rounds: number,
  progress: (text: string) => void,
): Promise<BrokerRow[]> {
  const broker = await startMosquitto();
  const script = (name: string): URL => new URL(name, import.meta.url);
  const child = (name: string): Child => new Child({ script: script(name), core: layout.loadCore, channel: true });
  const [server, direct, load] = [child('broker-process.ts'), child('broker-process.ts'), child('load.ts')];
  let gateway: Gateway | undefined;
  try {
    const { url } = broker;
    await ask(server, { kind: 'serve', form, url });
    gateway = await Gateway.start(
      { upstreams: {}, more: { [NAME]: { ...formOf(form).entry(url), concurrency: 64 } }, layout },
      1,
    );
    const { port } = gateway;
    const samples = BROKER_CALLERS.map((callers) => ({ callers, direct: [] as Sample[], gateway: [] as Sample[] }));
    for (let round = 0; round < rounds; round++) {
      for (const row of samples) {
        const { callers } = row;
        progress(`broker ${form}/C${callers}, round ${round + 1}/${rounds}`);
        const steps = [
          async () => row.direct.push(await ask(direct, { kind: 'call', form, url, callers, calls: CALLS })),
          async () => row.gateway.push(await throughGateway(load, port, callers)),
        ];
        for (const step of round % 2 === 0 ? steps : steps.reverse()) await step();
      }
    }
    return samples.flatMap(({ callers, ...of }) =>
      (['direct', 'gateway'] as const).map((target) => toRow(formOf(form).label, target, callers, of)),
    );
  } finally {
    await Promise.all([gateway?.stop(), server.stop(), direct.stop(), load.stop()]);
    await broker.stop();
  }
}

async function ask(child: Child, request: BrokerRequest): Promise<Sample> {
  const reply = await child.ask<BrokerReply>(request);
  if (!reply.ok) throw new Error(reply.error);
  return reply;
}

async function throughGateway(load: Child, port: number, callers: number): Promise<Sample> {
  const job = {
    port,
    path: '/mcp',
    era: 'modern' as const,
    operation: 'small' as const,
    tool: `${NAME}__echo`,
    tools: 1,
    callers,
    warmupCalls: WARMUP_CALLS,
  };
  const requests: LoadRequest[] = [
    { kind: 'prepare', job },
    { kind: 'measure-calls', calls: CALLS },
    { kind: 'finish' },
  ];
  let sample: Sample | undefined;
  for (const request of requests) {
    const reply = await load.ask<LoadReply>(request);
    if (!reply.ok) throw new Error(reply.error);
    const { window } = reply;
    if (window) sample = { perSecond: window.calls / window.seconds, p50: window.p50, p99: window.p99 };
  }
  if (!sample) throw new Error('the load generator measured nothing');
  return sample;
}

function toRow(
  form: string,
  target: BrokerRow['target'],
  callers: number,
  samples: Record<BrokerRow['target'], readonly Sample[]>,
): BrokerRow {
  const of = (values: readonly number[]): Spread => spread(values) as Spread;
  const own = samples[target];
  return {
    form,
    target,
    callers,
    perSecond: of(own.map(({ perSecond }) => perSecond)),
    p50: of(own.map(({ p50 }) => p50)),
    p99: of(own.map(({ p99 }) => p99)),
    addedP50:
      target === 'direct'
        ? undefined
        : of(own.map(({ p50 }, round) => p50 - (samples.direct[round]?.p50 ?? Number.NaN))),
  };
}
