/**
 * `switchboard check`: reads the configuration, connects to every server, and prints the state of each.
 * @module
 */

import { plural } from '../../core/text.ts';
import { EXIT, type ExitCode } from '../exit.ts';
import { serverRows, skippedLines, statusTable } from '../format/status.ts';
import { untilTried } from '../progress.ts';
import { misnamedRules } from '../rule-names.ts';
import type { CommandContext } from '../session.ts';

/** `notReady` when a server that is not disabled is not ready. */
export async function check(context: CommandContext): Promise<ExitCode> {
  const { gateway, config, out, json } = context;
  await untilTried(context);
  const rows = serverRows(gateway.federation, config.servers);
  const wanted = rows.filter(({ state }) => state !== 'disabled');
  const ready = wanted.filter(({ state }) => state === 'ready').length;
  const misnamed = misnamedRules(config.policy, gateway.federation.all);
  for (const warning of misnamed) out.warn(warning);
  if (json) {
    out.json({ file: config.file ?? null, warnings: [...config.warnings, ...misnamed], ready, servers: rows });
  } else if (rows.length === 0) {
    out.print('No servers are configured: only the builtin tools are served.');
  } else {
    out.print([...statusTable(rows, out.paint, out.width), '']);
    for (const line of skippedLines(rows)) out.print(out.paint('yellow', line));
    const summary = `${ready} of ${plural(wanted.length, 'server')} ready.`;
    out.print(ready === wanted.length ? out.paint('green', summary) : summary);
  }
  return ready === wanted.length ? EXIT.ok : EXIT.notReady;
}
