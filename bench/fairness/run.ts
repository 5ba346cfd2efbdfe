/**
 * `npm run bench:fairness`: what nine principals notice of a tenth that is greedy. For each kind of greed and round, two
 * windows on one gateway: ten principals alike, which gives each its fair share, and nine of them beside a greedy one.
 * @module
 */
import { parseArgs } from 'node:util';
import { newKey } from '../../src/auth/key.ts';
import { Child } from '../child.ts';
import { writeResults } from '../docs.ts';
import { Gateway } from '../gateway.ts';
import { describeMachine, type Layout, readLayout } from '../machine.ts';
import { type Spread, spread } from '../statistics.ts';
import { alignedTable, markdownTable, type Table } from '../tables.ts';
import { KINDS, type Kind, TOOL_NAMES } from './kinds.ts';
import type { LoadReply, LoadRequest } from './load.ts';
import type { ServerReply, ServerRequest } from './upstream.ts';

const DOCUMENT = new URL('../../docs/performance.md', import.meta.url);
const PRINCIPALS = 10;
/** The others' p99 beside a greedy one, over theirs among equals. */
const BUDGET = 2;

const HELP = `Measures what nine principals notice of a tenth that is greedy. See docs/performance.md, "Fairness".

  node bench/fairness/run.ts [--rounds N] [--window MS] [--only KIND] [--enforce] [--write-docs]
`;

interface Row {
  kind: Kind;
  /** The others' latencies: among equals, and beside the greedy one. */
  alone: LoadReply[];
  beside: LoadReply[];
  greedy: LoadReply[];
  ratio: Spread;
  refused: number;
}

class Fairness {
  readonly #layout: Layout;
  readonly #keys = Array.from({ length: PRINCIPALS }, () => newKey());
  readonly #servers: Child;
  readonly #others: Child;
  readonly #greedy: Child;
  #ports: number[] = [];

  constructor(layout: Layout) {
    this.#layout = layout;
    const child = (script: string, ...args: string[]): Child =>
      new Child({ script: new URL(script, import.meta.url), args, core: layout.loadCore, channel: true });
    this.#servers = child('upstream.ts');
    this.#others = child('load.ts');
    this.#greedy = child('load.ts', 'yields');
  }

  async start(): Promise<void> {
    const request: ServerRequest = { eras: ['modern', 'modern', 'legacy', 'legacy', 'modern'] };
    ({ ports: this.#ports } = await this.#servers.ask<ServerReply>(request));
  }

  /** A gateway of its own for each kind: what one kind leaves behind is not the next one's. */
  #gateway(): Promise<Gateway> {
    const [free, slow, stateful, asking, tasks] = this.#ports as [number, number, number, number, number];
    const grants = this.#keys.map(({ stored }, i) => [`principal-${i}`, { key: stored }]);
    const counted = { counter: 'counted', window: 'hour', max: 1_000_000, scope: 'session' };
    const [key] = this.#keys;
    return Gateway.start(
      {
        upstreams: { free, slow, stateful, asking, tasks },
        servers: { slow: { concurrency: 4 }, stateful: { isolation: 'caller' } },
        gateway: {
          grants: Object.fromEntries(grants),
          defaultPolicy: 'allow',
          audit: {},
          connect: { allowPrivate: ['127.0.0.1'] },
          policy: {
            version: '1',
            default: 'allow',
            tools: {
              free__forbidden: { action: 'deny' },
              free__pay: { approve: true, approver: 'operator' },
              free__counted: { limits: [counted] },
            },
          },
        },
        headers: { authorization: `Bearer ${key?.key}` },
        layout: this.#layout,
      },
      // All of them: first lists and sessions wait for servers that are still connecting.
      5 * TOOL_NAMES.length,
    );
  }

  async measure(kind: Kind, rounds: number, durationMs: number): Promise<Row> {
    const row: Omit<Row, 'ratio' | 'refused'> = { kind, alone: [], beside: [], greedy: [] };
    const [greedy, ...others] = this.#keys.map(({ key }) => ({ authorization: `Bearer ${key}` }));
    if (!greedy) throw new Error('no principals');
    for (let round = 0; round < rounds; round++) {
      const gateway = await this.#gateway();
      try {
        const load = { kind: kind.name, port: gateway.port, warmupMs: durationMs / 2, durationMs };
        const ask = (child: Child, keys: LoadRequest['keys'], isGreedy: boolean): Promise<LoadReply> =>
          child.ask<LoadReply>({ ...load, keys, greedy: isGreedy } satisfies LoadRequest);
        const [alone] = await Promise.all([ask(this.#others, others, false), ask(this.#greedy, [greedy], false)]);
        row.alone.push(alone);
        const [beside, own] = await Promise.all([ask(this.#others, others, false), ask(this.#greedy, [greedy], true)]);
        row.beside.push(beside);
        row.greedy.push(own);
      } finally {
        await gateway.stop();
      }
    }
    const ratios = row.beside.map(({ p99 }, round) => (p99 ?? Number.NaN) / (row.alone[round]?.p99 ?? Number.NaN));
    const refused = row.beside.reduce((sum, each) => sum + each.refused, 0);
    return { ...row, refused, ratio: spread(ratios) as Spread };
  }

  async stop(): Promise<void> {
    await Promise.all([this.#servers, this.#others, this.#greedy].map((child) => child.stop()));
  }
}

const medianP99 = (replies: readonly LoadReply[]): string =>
  (spread(replies.map(({ p99 }) => p99 ?? Number.NaN)) as Spread).median.toFixed(1);

const met = ({ ratio, refused }: Row): boolean => ratio.median <= BUDGET && refused === 0;

function tableOf(rows: readonly Row[]): Table {
  return {
    title: 'Nine principals beside a greedy one',
    head: [
      'kind of greed',
      'what it does',
      'p99 among equals, ms',
      'p99 beside it, ms',
      'ratio',
      'others refused',
      'its calls, refused',
      'verdict',
    ],
    rows: rows.map((row) => [
      row.kind.name,
      row.kind.what,
      medianP99(row.alone),
      medianP99(row.beside),
      `${row.ratio.median.toFixed(2)} × (${row.ratio.min.toFixed(2)}–${row.ratio.max.toFixed(2)})`,
      String(row.refused),
      `${row.greedy.reduce((sum, { calls }) => sum + calls, 0)}, ${row.greedy.reduce((sum, { refused }) => sum + refused, 0)}`,
      met(row) ? 'met' : 'missed',
    ]),
  };
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      rounds: { type: 'string', default: '3' },
      window: { type: 'string', default: '1500' },
      only: { type: 'string' },
      entry: { type: 'string' },
      enforce: { type: 'boolean', default: false },
      'write-docs': { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(HELP);
    return 0;
  }
  const layout = readLayout(values.entry ?? new URL('../../bin/switchboard.js', import.meta.url).pathname);
  const machine = describeMachine('');
  const began = new Date();
  const fairness = new Fairness(layout);
  const rows: Row[] = [];
  try {
    await fairness.start();
    for (const kind of KINDS.filter(({ name }) => values.only === undefined || name.includes(values.only))) {
      const row = await fairness.measure(kind, Number(values.rounds), Number(values.window));
      rows.push(row);
      const why = [...row.alone, ...row.beside].find((reply) => reply.refused > 0)?.why;
      process.stderr.write(`${alignedTable(tableOf([row])).split('\n')[3]}${why === undefined ? '' : `  ${why}`}\n`);
    }
  } finally {
    await fairness.stop();
  }
  const head = `- ${began.toISOString().slice(0, 16).replace('T', ' ')} UTC, Node ${process.versions.node}, ${machine.os}, ${machine.cpu}, ${machine.cores} cores, load average before the run ${machine.loadBefore}; ${values.rounds} rounds of ${values.window} ms`;
  const table = tableOf(rows);
  process.stdout.write(`${head}\n\n${alignedTable(table)}`);
  if (values['write-docs']) await writeResults(DOCUMENT, `${head}\n\n${markdownTable(table).trimEnd()}`, 'fairness');
  return values.enforce && !rows.every(met) ? 1 : 0;
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(2));
process.exitCode = await main();
