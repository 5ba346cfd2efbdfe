/**
 * `switchboard top` and `switchboard logs --follow`: servers, queues and calls of the running gateway as they happen, from the stream
 * that the pages for operators read.
 * @module
 */
import { visibleJson } from '../../core/visible.ts';
import type { ServerInFull } from '../../endpoint/admin/servers.ts';
import type { CallJson } from '../../endpoint/admin/shared-calls.ts';
import { readAdminEvents } from '../admin-events.ts';
import { EXIT, type ExitCode, UsageError } from '../exit.ts';
import { table } from '../format/table.ts';
import { oneLine } from '../format/text.ts';
import type { Io } from '../io.ts';
import { createOutput, type Output } from '../output.ts';
import { type GlobalOptions, interruptible, loadForRunning } from '../session.ts';

export interface LiveOptions extends GlobalOptions {
  url?: string;
  /** `logs`: go on with calls as they happen. */
  follow?: boolean;
}

/** Calls under the servers of `top`. */
const TOP_CALLS = 12;
const MAX_CALLS = 500;

/** Draws the servers and the last calls anew at each change; ends with Ctrl-C. As JSON, and where there is no terminal, a line per change. */
export async function top(options: LiveOptions, io: Io): Promise<ExitCode> {
  const out = createOutput(io, options.color);
  let servers: readonly ServerInFull[] = [];
  const calls = new Map<string, CallJson>();
  const draws = options.json !== true && io.stdout.isTTY === true;
  const draw = (): void => {
    const lines = [
      ...serverLines(servers, out),
      '',
      ...callLines([...calls.values()].slice(-TOP_CALLS).reverse(), out),
    ];
    // From the upper left corner, each line to its end, and nothing of what stood below.
    io.stdout.write(`\u001b[H${lines.map((line) => `${line}\u001b[K`).join('\n')}\n\u001b[J`);
  };
  if (draws) io.stdout.write('\u001b[2J');
  return follow(options, io, {
    servers(data) {
      ({ servers } = data as { servers: ServerInFull[] });
      if (options.json) line(io, { servers });
      else if (draws) draw();
      else out.print(serverLines(servers, out));
    },
    calls(data) {
      take(calls, data);
      if (draws) draw();
    },
  });
}

/** A line for each call that has ended: of those that are recorded, and with `--follow` of those to come. */
export async function logs(options: LiveOptions, io: Io): Promise<ExitCode> {
  const out = createOutput(io, options.color);
  if (options.follow !== true) {
    throw new UsageError(
      'Calls are recorded while somebody looks: `switchboard logs --follow` shows them as they happen. The audit keeps them (gateway.audit).',
    );
  }
  const told = new Set<string>();
  return follow(options, io, {
    calls(data) {
      for (const call of (data as { calls: CallJson[] }).calls) {
        if (call.durationMs === undefined || told.has(call.id)) continue;
        told.add(call.id);
        if (told.size > 2 * MAX_CALLS) told.delete(told.values().next().value as string);
        if (options.json) line(io, call);
        else out.print(callLine(call, out));
      }
    },
  });
}

/** One line each, as streams of JSON are read. */
const line = (io: Io, value: object): void => void io.stdout.write(`${visibleJson(JSON.stringify(value))}\n`);

async function follow(
  options: LiveOptions,
  io: Io,
  listeners: Record<string, (data: unknown) => void>,
): Promise<ExitCode> {
  const interrupt = interruptible(io);
  try {
    const config = await loadForRunning(options, io);
    await readAdminEvents(config, options.url, listeners, interrupt.signal);
    return EXIT.ok;
  } finally {
    interrupt.stop();
  }
}

function take(calls: Map<string, CallJson>, data: unknown): void {
  for (const call of (data as { calls: CallJson[] }).calls) calls.set(call.id, call);
  for (const id of calls.keys()) {
    if (calls.size <= MAX_CALLS) break;
    calls.delete(id);
  }
}

const STYLES: Readonly<Record<string, 'green' | 'yellow' | 'red'>> = {
  ready: 'green',
  ok: 'green',
  running: 'yellow',
  pending: 'yellow',
  connecting: 'yellow',
  configured: 'yellow',
};

const painted = (word: string, { paint }: Output): string => paint(STYLES[word] ?? 'red', word);

function serverLines(servers: readonly ServerInFull[], out: Output): string[] {
  const rows = servers.map(({ name, state, kind, era, counts, queue, error }) => [
    oneLine(name),
    painted(state, out),
    oneLine(kind ?? '-'),
    era ?? '-',
    String(counts.tools),
    `${queue.running}/${queue.concurrency}`,
    String(queue.waiting),
    oneLine(error),
  ]);
  const right = (title: string) => ({ title, align: 'right' as const });
  return table(
    ['SERVER', 'STATE', 'KIND', 'ERA', right('TOOLS'), right('RUNNING'), right('WAITING'), 'ERROR'],
    rows,
    out.width,
  );
}

const cellsOf = (call: CallJson, out: Output): string[] => [
  call.at.slice(11, 23),
  oneLine(call.principal),
  oneLine(call.server ?? '-'),
  oneLine(call.name ?? call.method),
  painted(call.outcome, out),
  call.durationMs === undefined ? '' : `${Math.round(call.durationMs)} ms`,
  call.queueMs >= 1 ? `${Math.round(call.queueMs)} ms` : '',
  call.errorCode === undefined ? '' : oneLine(String(call.errorCode)),
];

const callLines = (calls: readonly CallJson[], out: Output): string[] =>
  table(
    ['TIME', 'CALLER', 'SERVER', 'WHAT', 'OUTCOME', 'TOOK', 'QUEUE', 'ERROR'],
    calls.map((call) => cellsOf(call, out)),
    out.width,
  );

const callLine = (call: CallJson, out: Output): string =>
  cellsOf(call, out)
    .filter((cell) => cell !== '')
    .join('  ');
