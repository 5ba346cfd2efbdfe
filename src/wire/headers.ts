/**
 * Standard request headers of the modern HTTP transport: which body fields they mirror, how unsafe values are written,
 * and when header and body disagree. Source: 2026-07-28 transports/streamable-http, "Request Metadata".
 * @module
 */
import { shorten } from '../core/text.ts';
import type { JsonObject } from './jsonrpc.ts';

const PREFIX = '=?base64?';
const SUFFIX = '?=';

/** Which body field `Mcp-Name` mirrors, for the methods that require the header. */
const NAME_FIELD: Readonly<Record<string, 'name' | 'uri'>> = {
  'tools/call': 'name',
  'prompts/get': 'name',
  'resources/read': 'uri',
};

/**
 * The tasks extension says that its clients set the header too ("Streamable HTTP: Routing Headers"). One that comes from
 * a library without tasks does not know that: what is missing is let pass, what is wrong is not.
 */
const TASK_METHODS: ReadonlySet<string> = new Set(['tasks/get', 'tasks/update', 'tasks/cancel']);

export function mcpNameOf(method: string, params: JsonObject | undefined): string | undefined {
  const field = NAME_FIELD[method] ?? (TASK_METHODS.has(method) ? 'taskId' : undefined);
  const value = field === undefined ? undefined : params?.[field];
  return typeof value === 'string' ? value : undefined;
}

export const requiresMcpName = (method: string): boolean => Object.hasOwn(NAME_FIELD, method);

/** Header text for a value: as it is when it is plain visible ASCII, in the Base64 sentinel otherwise. */
export function encodeHeaderValue(value: string): string {
  const plain = /^[\x21-\x7e](?:[\x20-\x7e\t]*[\x21-\x7e])?$/.test(value);
  if (plain && !(value.startsWith(PREFIX) && value.endsWith(SUFFIX))) return value;
  return `${PREFIX}${Buffer.from(value, 'utf8').toString('base64')}${SUFFIX}`;
}

/** The value a header stands for, or `undefined` when it claims the sentinel and is not valid Base64 of UTF-8. */
export function decodeHeaderValue(header: string): string | undefined {
  if (!header.startsWith(PREFIX) || !header.endsWith(SUFFIX)) return header;
  const encoded = header.slice(PREFIX.length, -SUFFIX.length);
  if (!/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(encoded)) return undefined;
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.from(encoded, 'base64'));
  } catch {
    return undefined;
  }
}

export type HeaderReader = (name: string) => string | undefined;

/**
 * Compares the standard headers of a modern POST with its body. Returns a sentence when they disagree (-32020).
 * `MCP-Protocol-Version` is compared with the envelope's version, which the caller has read.
 */
export function headerMismatch(
  header: HeaderReader,
  method: string,
  params: JsonObject | undefined,
  protocolVersion: string,
): string | undefined {
  const version = header('mcp-protocol-version');
  if (version === undefined) return 'the MCP-Protocol-Version header is missing';
  if (version !== protocolVersion) {
    return `the MCP-Protocol-Version header says '${clipped(version)}', the body '${clipped(protocolVersion)}'`;
  }
  const headerMethod = header('mcp-method');
  if (headerMethod === undefined) return 'the Mcp-Method header is missing';
  if (headerMethod !== method)
    return `the Mcp-Method header says '${clipped(headerMethod)}', the body '${clipped(method)}'`;
  const headerName = header('mcp-name');
  if (headerName === undefined) {
    return requiresMcpName(method) ? 'the Mcp-Name header is missing' : undefined;
  }
  const name = mcpNameOf(method, params);
  if (name === undefined) return undefined;
  const decoded = decodeHeaderValue(headerName);
  if (decoded === undefined) return 'the Mcp-Name header is not valid Base64 of UTF-8';
  return decoded === name ? undefined : `the Mcp-Name header says '${clipped(decoded)}', the body '${clipped(name)}'`;
}

/** A body may be megabytes long; the message that quotes it need not be. */
const clipped = (text: string): string => shorten(text, 200);
