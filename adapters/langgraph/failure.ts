/**
 * Converts failures of a LangGraph server to `SwitchboardError`s. Bodies are read by status: validation errors are JSON,
 * all others plain text (measured). Texts of the server pass through `publicMessage`, and texts that the client sent are
 * removed, so that no error carries a prompt.
 * @module
 */
import { SwitchboardError } from '../../src/core/errors.ts';
import { isObject, type JsonObject } from '../../src/wire/jsonrpc.ts';
import type { WholeReply } from '../shared/origin.ts';
import { publicMessage } from '../shared/sanitize.ts';

/** Shorter texts of a request are too common to be removed from a message. */
const SHORTEST_HIDDEN = 4;
const MOST_HIDDEN = 200;
const MOST_ISSUES = 3;
/** Fields whose values belong to the protocol and may stay in a message. */
const LABELS: ReadonlySet<string> = new Set(['role', 'type']);

/** An error for a status other than 2xx. */
export function httpFailure(name: string, reply: WholeReply, sent?: unknown): SwitchboardError {
  const { status } = reply;
  const data = { status };
  if (status === 401 || status === 403) {
    return new SwitchboardError(
      'SWB_UPSTREAM_AUTH',
      `Server '${name}' refused the configured credentials (HTTP ${status}).`,
      { data },
    );
  }
  if (status >= 300 && status < 400) {
    return new SwitchboardError(
      'SWB_UPSTREAM_HTTP',
      `Server '${name}' answered with a redirect (HTTP ${status}). Configure the address it leads to.`,
      { data },
    );
  }
  const reason = reasonOf(reply, sent);
  const because = reason === undefined ? '' : `: ${reason}`;
  if (status === 400 || status === 422) {
    return new SwitchboardError('SWB_INVALID_PARAMS', `Server '${name}' did not accept the call${because}`, { data });
  }
  const retryAfter = Number(reply.headers['retry-after']);
  return new SwitchboardError('SWB_UPSTREAM_HTTP', `Server '${name}' answered HTTP ${status}${because}`, {
    data,
    ...(retryAfter > 0 ? { retryAfterMs: retryAfter * 1000 } : {}),
  });
}

export function notLanggraph(name: string, cause?: unknown): SwitchboardError {
  return new SwitchboardError('SWB_UPSTREAM_PROTOCOL', `Server '${name}' does not answer as a LangGraph server does.`, {
    cause,
  });
}

/**
 * The error of a failed run. `thrown` is the server's: `{error, message}` in an `error` event, with more of the
 * same as JSON inside `message` where the failure went through several hands; or a bare string.
 */
export function agentFailure(agent: string, thrown: unknown, sent: unknown): SwitchboardError {
  let { error, message } = errorOf(thrown);
  for (let depth = 0; depth < 3; depth++) {
    const inner = nested(message);
    if (!inner) break;
    ({ error, message } = errorOf(inner));
  }
  // How 2.0 ends the stream of a cancelled run; 1.5 just ends it (measured).
  if (message === 'interrupt' || message === 'rollback') return cancelledElsewhere(agent);
  const type = error && error !== 'Error' && /^\w{1,60}$/.test(error) ? `${error}: ` : '';
  return new SwitchboardError('SWB_AGENT_FAILED', `Agent '${agent}' failed: ${type}${publicText(message, sent)}`);
}

export const cancelledElsewhere = (agent: string): SwitchboardError =>
  new SwitchboardError('SWB_AGENT_FAILED', `Agent '${agent}' was cancelled on its server.`);

function errorOf(thrown: unknown): { error: string | undefined; message: string } {
  if (!isObject(thrown)) return { error: undefined, message: typeof thrown === 'string' ? thrown : '' };
  const { error, message } = thrown;
  if (isObject(error)) return errorOf(error);
  return {
    error: typeof error === 'string' ? error : undefined,
    message: typeof message === 'string' ? message : '',
  };
}

function nested(message: string): JsonObject | undefined {
  if (!message.startsWith('{')) return undefined;
  try {
    const inner: unknown = JSON.parse(message);
    return isObject(inner) && ('message' in inner || 'error' in inner) ? inner : undefined;
  } catch {
    return undefined;
  }
}

/** The text of an error reply; undefined when it has none for clients. */
export function reasonOf({ headers, body }: WholeReply, sent?: unknown): string | undefined {
  const type = headers['content-type'] ?? '';
  if (body.length === 0 || type.includes('html')) return undefined;
  const text = body.toString('utf8', 0, 16_384);
  const said = type.includes('json') ? fromJson(text) : text;
  return said ? publicText(said, sent) : undefined;
}

function fromJson(text: string): string | undefined {
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!isObject(body)) return undefined;
  const { error, detail, message } = body;
  const issues = isObject(error) && Array.isArray(error.issues) ? error.issues : detail;
  if (Array.isArray(issues)) return issues.slice(0, MOST_ISSUES).map(issueText).filter(Boolean).join('; ');
  return [message, detail, error].find((said): said is string => typeof said === 'string');
}

/** Zod: `{path, message}`. FastAPI (the Python server): `{loc, msg}`. */
function issueText(issue: unknown): string {
  if (!isObject(issue)) return '';
  const where = Array.isArray(issue.path) ? issue.path : issue.loc;
  const what = issue.message ?? issue.msg;
  return `${Array.isArray(where) && where.length > 0 ? `${where.join('.')}: ` : ''}${typeof what === 'string' ? what : 'invalid'}`;
}

/** A text of the server for clients: one line, without texts of `sent` and details of the machine. */
function publicText(text: string, sent: unknown): string {
  let hidden = text;
  for (const own of textsOf(sent)) hidden = hidden.replaceAll(own, '[input]');
  return publicMessage(hidden);
}

/** Every text in a request, longest first, plain and escaped as in JSON. */
function textsOf(sent: unknown): string[] {
  const texts = new Set<string>();
  const walk = (value: unknown, depth: number): void => {
    if (texts.size >= MOST_HIDDEN || depth > 8) return;
    if (typeof value === 'string') {
      for (const text of [value.trim(), JSON.stringify(value.trim()).slice(1, -1)]) {
        if (text.length >= SHORTEST_HIDDEN) texts.add(text);
      }
    } else if (typeof value === 'object' && value !== null) {
      for (const [key, inner] of Object.entries(value)) if (!LABELS.has(key)) walk(inner, depth + 1);
    }
  };
  walk(sent, 0);
  return [...texts].sort((a, b) => b.length - a.length);
}
