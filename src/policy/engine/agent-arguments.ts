/**
 * The arguments of a call of an agent, as rules see them. A call through `callAgent` and one of the agent's tool are the same
 * call: it has `messages`, and for rules also `message`, the text of them all.
 * @module
 */
import { isObject, type JsonObject } from '../../wire/jsonrpc.ts';

/** A copy with `message`, which no call has by itself. Anything but the arguments of an agent comes back unchanged. */
export function withMessage(args: unknown): unknown {
  if (!isObject(args) || !Array.isArray(args.messages) || args.messages.length === 0) return args;
  return { ...args, message: args.messages.map(textOf).join('\n') };
}

/** Texts of a message: all of its parts, whatever they call themselves. */
function textOf(message: unknown): string {
  const content = isObject(message) ? message.content : undefined;
  if (typeof content === 'string') return content;
  if (!Array.isArray(content)) return '';
  return content.flatMap((part: unknown) => (isObject(part) ? textsIn(part) : [])).join('\n');
}

const textsIn = (part: JsonObject): string[] =>
  ['text', 'content'].flatMap((name) => (typeof part[name] === 'string' ? [part[name] as string] : []));

/**
 * Paths of `redact` as the call of an agent has their values: `args.message` stands in its messages, and what a tool's result has
 * in `structuredContent` or as text is a member of the agent's own.
 */
export function agentPaths(paths: readonly string[]): string[] {
  return paths.flatMap((path) => {
    if (path === 'args.message') return [path, 'args.messages.*.content'];
    if (path === 'result.structuredContent') return [path, 'result.*'];
    if (path.startsWith('result.structuredContent.')) return [path, `result.${path.slice(STRUCTURED)}`];
    return /^result\.content(?:\.|$)/.test(path) ? [path, 'result.text'] : [path];
  });
}

const STRUCTURED = 'result.structuredContent.'.length;
