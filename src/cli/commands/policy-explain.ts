/**
 * `switchboard policy explain <name> [json]`: prints why a request is allowed or denied.
 * @module
 */

import { nearest } from '../../config/nearest.ts';
import { type ExplainedKind, type Explanation, requireGrant } from '../../policy/explain/explanation.ts';
import { parseExact } from '../../wire/json/parse.ts';
import { EXIT, type ExitCode } from '../exit.ts';
import { explanationLines } from '../format/explanation.ts';
import { notReady } from '../format/status.ts';
import { oneLine } from '../format/text.ts';
import { readArguments } from '../input.ts';
import { untilFound } from '../progress.ts';
import type { CommandContext } from '../session.ts';

export interface ExplainOptions {
  kind: ExplainedKind;
  grant?: string;
  server?: string;
}

/** `denied`, `approval`, or `usage` for a name that is not there; the explanation is printed in any case. */
export async function explainPolicy(
  context: CommandContext,
  name: string,
  json: string | undefined,
  { kind, grant, server }: ExplainOptions,
): Promise<ExitCode> {
  const { gateway, config, out, io } = context;
  const args = await readArguments(json, io.stdin, parseExact);
  const request = { kind, name, args, grant, server };
  // Checked before waiting for servers.
  if (grant !== undefined) requireGrant(config.policy.grants, grant);
  await untilFound(context, () => whereItIs(context, kind, name, server));
  const explanation = await gateway.explain(request);
  if (context.json) {
    out.json(explanation);
  } else {
    out.print(explanationLines(explanation, out));
    if (explanation.presence === 'none') {
      const near = nearestName(context, kind, name);
      if (near !== undefined) out.note(`Did you mean ${oneLine(near)}?`);
      out.note(notReady(context));
    }
  }
  return codeOf(explanation);
}

/** The server of an exposed name, once it is ready. Other names are looked up when every server has been tried. */
function whereItIs(
  { gateway: { federation } }: CommandContext,
  kind: ExplainedKind,
  name: string,
  server: string | undefined,
): object | undefined {
  if (server !== undefined) {
    const member = federation.members().find((each) => each.name === server);
    return member === undefined || member.state === 'ready' ? federation : undefined;
  }
  if (kind !== 'tool' && kind !== 'prompt') return undefined;
  const route = federation.all.resolve(`${kind}s`, name);
  return route?.member.builtin || route?.member.state === 'ready' ? route : undefined;
}

/** Another kind of the same name, or the nearest of this one. */
function nearestName({ gateway }: CommandContext, kind: ExplainedKind, name: string): string | undefined {
  const { all } = gateway.federation;
  for (const [other, list] of Object.entries(LISTS)) {
    const found = all.routes(list).find(({ exposed, original }) => exposed === name || original === name);
    if (found) return `--kind ${other} ${found.exposed}`;
  }
  if (kind === 'method') return undefined;
  const routes = all.routes(LISTS[kind]);
  const near = nearest(name, [...new Set(routes.flatMap(({ exposed, original }) => [exposed, original]))]);
  return routes.find(({ exposed, original }) => exposed === near || original === near)?.exposed;
}

const LISTS = { tool: 'tools', prompt: 'prompts', resource: 'resources', agent: 'agents' } as const;

function codeOf({ presence, verdict }: Explanation): ExitCode {
  if (presence === 'none') return EXIT.usage;
  if (verdict.effect === 'allow') return EXIT.ok;
  return verdict.effect === 'deny' ? EXIT.denied : EXIT.approval;
}
