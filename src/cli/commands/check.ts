/**
 * `switchboard check`: reads the configuration, connects to every server, and prints the state of each.
 * @module
 */

import { plural } from '../../core/text.ts';
import { type Failure, failureOf } from '../../federation/failure.ts';
import { EXIT, type ExitCode } from '../exit.ts';
import { failureLines } from '../format/failure.ts';
import { type ServerRow, serverRows, skippedLines, statusTable } from '../format/status.ts';
import { untilTried } from '../progress.ts';
import { misnamedRules } from '../rule-names.ts';
import type { CommandContext } from '../session.ts';

/** `notReady` when a server that is not disabled is not ready. */
export async function check(context: CommandContext): Promise<ExitCode> {
  const { gateway, config, out, json } = context;
  await untilTried(context);
  await trySessions(context);
  const rows = serverRows(gateway.federation, config.servers);
  const wanted = rows.filter(({ state }) => state !== 'disabled');
  const ready = wanted.filter(({ state }) => state === 'ready').length;
  const failures = failuresOf(context);
  const misnamed = misnamedRules(config.policy, gateway.federation.all);
  for (const warning of misnamed) out.warn(warning);
  if (json) {
    out.json({
      file: config.file ?? null,
      warnings: [...config.warnings, ...misnamed],
      ready,
      servers: withFailures(rows, failures),
    });
  } else if (rows.length === 0) {
    out.print('No servers are configured: only the builtin tools are served.');
  } else {
    out.print([...statusTable(rows, out.paint, out.width), '']);
    for (const line of oneSessionLines(rows)) out.print(out.paint('yellow', line));
    for (const [name, failure] of failures) out.print([...failureLines(name, failure), '']);
    for (const line of skippedLines(rows)) out.print(out.paint('yellow', line));
    const summary = `${ready} of ${plural(wanted.length, 'server')} ready.`;
    out.print(ready === wanted.length ? out.paint('green', summary) : summary);
  }
  return ready === wanted.length ? EXIT.ok : EXIT.notReady;
}

/** How long a server may take to open a second session, or to refuse one. */
const SECOND_SESSION_MS = 5_000;

/** Finds out which servers have no session for every caller, before a client does. */
async function trySessions({ gateway, signal }: CommandContext): Promise<void> {
  const limit = AbortSignal.any([signal, AbortSignal.timeout(SECOND_SESSION_MS)]);
  await Promise.all(gateway.federation.members().map(({ upstream }) => upstream?.trySession?.(limit)));
}

const oneSessionLines = (rows: readonly ServerRow[]): string[] =>
  rows
    .filter(({ oneSession }) => oneSession)
    .map(({ name }) => `${name} opens only one session: its callers share it, in spite of their isolation.`);

function failuresOf({ gateway }: CommandContext): Map<string, Failure> {
  const failures = new Map<string, Failure>();
  for (const member of gateway.federation.members()) {
    const failure = failureOf(member);
    if (failure) failures.set(member.name, failure);
  }
  return failures;
}

const withFailures = (rows: readonly ServerRow[], failures: ReadonlyMap<string, Failure>): object[] =>
  rows.map((row) => (failures.has(row.name) ? { ...row, failure: failures.get(row.name) } : row));
