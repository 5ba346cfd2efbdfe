/**
 * `switchboard call <tool> [json]`: makes one tool call as a client would.
 * @module
 */
import { nearest } from '../../config/nearest.ts';
import type { Member, Route } from '../../federation/types.ts';
import { isObject, type JsonObject, type Notification } from '../../wire/jsonrpc.ts';
import { EXIT, type ExitCode, exitCodeOf, UsageError } from '../exit.ts';
import { resultText } from '../format/result.ts';
import { notReady } from '../format/status.ts';
import { oneLine, safeText } from '../format/text.ts';
import { readArguments } from '../input.ts';
import { untilFound, untilTried } from '../progress.ts';
import { type CommandContext, ownGateway, type RequestContext } from '../session.ts';
import { isInteractive, TERMINAL_CAPABILITIES, TerminalForm } from '../terminal-form.ts';

/** `failed` for a result with `isError`, or when the call fails. */
export async function call(context: RequestContext, tool: string, json?: string): Promise<ExitCode> {
  const { out, io, signal } = context;
  const args = await readArguments(json, io.stdin);
  const own = ownGateway(context);
  const name = own ? await nameOf(own, tool, args) : tool;
  const params = { name, arguments: args, _meta: { progressToken: 'call' } };
  const form = json !== '-' && isInteractive(io) ? new TerminalForm(io, out, signal) : undefined;
  const result = await context.request('tools/call', params, {
    signal,
    onNotification: (note) => showProgress(context, note),
    ...(form ? { onAsk: (ask) => form.answer(ask), capabilities: TERMINAL_CAPABILITIES } : {}),
  });
  if (context.json) {
    out.json(result);
  } else {
    const text = resultText(result);
    if (result.isError === true) out.note(`${out.paintNote('red', 'error')} ${safeText(text)}`);
    else if (text !== '') out.print(out.toTerminal ? safeText(text) : text);
  }
  return resultCode(result);
}

/** The tool's name, once its server lists it; builtin tools about agents wait for the servers they may mean. */
async function nameOf(context: CommandContext, tool: string, args: JsonObject): Promise<string> {
  const { federation } = context.gateway;
  const route = await untilFound(context, () => federation.all.resolve('tools', tool));
  if (route === undefined) return unknownTool(context, tool);
  if (route.member.builtin && ABOUT_AGENTS.has(tool)) {
    const named = [args.server, args.agent, args.targetAgentId].find((each) => typeof each === 'string');
    const server = String(named ?? '').split(/[/:]/, 1)[0] ?? '';
    await untilTried(context, federation.member(server) ? server : undefined);
  }
  return route.exposed;
}

const ABOUT_AGENTS: ReadonlySet<string> = new Set(['listAgents', 'describeAgent', 'callAgent', 'listServers']);

/** The exit code of a result: failures of builtin tools carry an error code. */
export function resultCode(result: JsonObject): ExitCode {
  if (result.isError !== true) return EXIT.ok;
  const meta = isObject(result._meta) ? result._meta['switchboard/error'] : undefined;
  return isObject(meta) ? exitCodeOf(meta.code) : EXIT.failed;
}

function showProgress({ out, json }: RequestContext, { method, params }: Notification): void {
  if (method !== 'notifications/progress' || json || !out.noteToTerminal) return;
  const { progress, total, message } = params ?? {};
  const count = total === undefined ? String(progress) : `${String(progress)}/${String(total)}`;
  out.note(out.paintNote('dim', `${count} ${oneLine(message)}`.trimEnd()));
}

/** Throws for an unknown tool: `SWB_UPSTREAM_…` when the server of its prefix is not ready, else wrong usage. */
function unknownTool(context: CommandContext, tool: string): never {
  const { federation } = context.gateway;
  const owner = federation.members().find((member) => !member.builtin && tool.startsWith(prefixOf(member)));
  if (owner !== undefined && owner.state !== 'ready') owner.require();
  const routes: readonly Route[] = federation.all.routes('tools');
  const byOriginal = routes.filter(({ original }) => original === tool).map(({ exposed }) => exposed);
  const near =
    byOriginal[0] ??
    nearest(
      tool,
      routes.map(({ exposed }) => exposed),
    );
  const hint = near === undefined ? 'See `switchboard list`.' : `Did you mean "${oneLine(near)}"?`;
  if (!context.json) context.out.note(notReady(context));
  throw new UsageError(`There is no tool "${tool}". ${hint}`);
}

const prefixOf = ({ name, config }: Member): string => `${config.namespace === false ? name : config.namespace}__`;
