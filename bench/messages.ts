/**
 * The bytes a client of either era sends, as the specification's clients send them: legacy with the version and session
 * headers, modern with the envelope and the standard headers.
 * @module
 */
import { type Era, LATEST_LEGACY, LATEST_MODERN } from '../src/wire/eras.ts';
import { type LargeText, largeText } from './fixture-results.ts';

export const CLIENT_INFO = { name: 'switchboard-bench', version: '1.0.0' } as const;

/**
 * `large`: a result of 64 KiB of prose. `both`: an argument of that size as well. `logs`: 64 KiB of log lines, which as
 * JSON are full of escapes.
 */
export type Operation = 'small' | 'large' | 'both' | 'logs' | 'list';

export type CallOperation = Exclude<Operation, 'list'>;

/** A call of any tool. */
export interface AskedCall {
  arguments: Readonly<Record<string, unknown>>;
  /** The first text of its result must be this. */
  text: string;
  /** Progress is asked for, and the reply comes as a stream of at least so many events. */
  events?: number | undefined;
}

/** Bytes of the text a `large`, `both` or `logs` call asks for. */
export const LARGE_BYTES = 65_536;

/** What the `small` call echoes: short, and not plain ASCII. */
export const SMALL_TEXT = 'Grüße from the bench: "quoted", ✓';

const ENVELOPE = {
  'io.modelcontextprotocol/protocolVersion': LATEST_MODERN,
  'io.modelcontextprotocol/clientInfo': CLIENT_INFO,
  'io.modelcontextprotocol/clientCapabilities': {},
};
const ENVELOPE_TEXT = JSON.stringify(ENVELOPE);

export const INITIALIZE = JSON.stringify({
  jsonrpc: '2.0',
  id: 'initialize',
  method: 'initialize',
  params: { protocolVersion: LATEST_LEGACY, capabilities: {}, clientInfo: CLIENT_INFO },
});

export const INITIALIZED = JSON.stringify({ jsonrpc: '2.0', method: 'notifications/initialized' });

/** A request with a hole where the id goes. */
export interface Template {
  before: string;
  after: string;
  headers: Record<string, string>;
}

const BASE_HEADERS = { accept: 'application/json, text/event-stream', 'content-type': 'application/json' } as const;

/** Headers of a legacy POST; `sessionId` is absent for `initialize` and for servers without sessions. */
export function legacyHeaders(sessionId?: string): Record<string, string> {
  const headers: Record<string, string> = { ...BASE_HEADERS, 'mcp-protocol-version': LATEST_LEGACY };
  if (sessionId !== undefined) headers['mcp-session-id'] = sessionId;
  return headers;
}

/** Headers of the first POST of a legacy client, which knows no version yet. */
export const INITIALIZE_HEADERS: Record<string, string> = { ...BASE_HEADERS };

/** `meta`: members of `_meta`, beside those of the envelope. */
function template(
  era: Era,
  method: string,
  given: Record<string, unknown>,
  sessionId: string | undefined,
  meta: Record<string, unknown> | undefined = undefined,
): Template {
  const params = era === 'legacy' && meta ? { ...given, _meta: meta } : given;
  const body = JSON.stringify(params);
  const members = body.slice(1, -1);
  const before = '{"jsonrpc":"2.0","id":';
  if (era === 'legacy') {
    return { before, after: `,"method":"${method}","params":${body}}`, headers: legacyHeaders(sessionId) };
  }
  const separator = members === '' ? '' : ',';
  const headers: Record<string, string> = {
    ...BASE_HEADERS,
    'mcp-protocol-version': LATEST_MODERN,
    'mcp-method': method,
  };
  if (typeof params.name === 'string') headers['mcp-name'] = params.name;
  const envelope = meta ? JSON.stringify({ ...ENVELOPE, ...meta }) : ENVELOPE_TEXT;
  return { before, after: `,"method":"${method}","params":{${members}${separator}"_meta":${envelope}}}`, headers };
}

/** `tools/call` of one of the fixture's two tools, under the name the target knows it by. */
export function callTemplate(era: Era, operation: CallOperation, tool: string, sessionId?: string): Template {
  return template(era, 'tools/call', { name: tool, arguments: argumentsOf(operation) }, sessionId);
}

/** `tools/call` of any tool. */
export function askedTemplate(era: Era, tool: string, asked: AskedCall, sessionId?: string): Template {
  const meta = asked.events === undefined ? undefined : { progressToken: 1 };
  return template(era, 'tools/call', { name: tool, arguments: asked.arguments }, sessionId, meta);
}

function argumentsOf(operation: CallOperation): Record<string, unknown> {
  if (operation === 'small') return { text: SMALL_TEXT };
  const of = largeTextOf(operation);
  const args = { bytes: LARGE_BYTES, of };
  return operation === 'both' ? { ...args, note: JSON.parse(largeText(LARGE_BYTES, of).toString('utf8')) } : args;
}

/** Which text the result of a call has. */
export const largeTextOf = (operation: Exclude<CallOperation, 'small'>): LargeText =>
  operation === 'logs' ? 'logs' : 'large';

export function listTemplate(era: Era, cursor?: string, sessionId?: string): Template {
  return template(era, 'tools/list', cursor === undefined ? {} : { cursor }, sessionId);
}
