/**
 * Checks the headers that a configuration sends to an upstream.
 * @module
 */
import { validateHeaderName, validateHeaderValue } from '../core/node-http.ts';
import type { JsonPath } from './jsonc.ts';
import type { Findings } from './mistakes.ts';

/** The transport sets these itself; another value would break the framing or the protocol. */
const OWN_HEADERS = new Set([
  'accept',
  'connection',
  'content-length',
  'content-type',
  'expect',
  'host',
  'keep-alive',
  'last-event-id',
  'mcp-method',
  'mcp-name',
  'mcp-protocol-version',
  'mcp-session-id',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** Those of them that pasted entries have: what the gateway sends says the same, so they are dropped with a warning. */
const PASTED_HEADERS = new Set([
  'accept',
  'connection',
  'content-length',
  'content-type',
  'keep-alive',
  'mcp-protocol-version',
]);

/** Names become lower-case, as HTTP treats them. Values are never quoted in what is reported. */
export function checkHeaders(
  headers: Readonly<Record<string, string>>,
  path: JsonPath,
  findings: Findings,
): Record<string, string> {
  const checked: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    const problem = headerProblem(name, value);
    const key = name.toLowerCase();
    if (PASTED_HEADERS.has(key)) findings.warn([...path, name], 'ignored: the gateway sets this header itself');
    else if (problem !== undefined) findings.mistake([...path, name], problem);
    else if (Object.hasOwn(checked, key)) findings.mistake([...path, name], 'found the same header twice');
    else checked[key] = value;
  }
  return checked;
}

/** Undefined for a name that a header can have. */
export function headerNameProblem(name: string): string | undefined {
  try {
    validateHeaderName(name);
    return undefined;
  } catch {
    return 'not a header name; allowed: letters, digits and "-"';
  }
}

function headerProblem(name: string, value: string): string | undefined {
  const problem = headerNameProblem(name);
  if (problem !== undefined) return problem;
  if (OWN_HEADERS.has(name.toLowerCase())) return 'the gateway sets this header itself; leave it out';
  try {
    validateHeaderValue(name, value);
    return undefined;
  } catch {
    return 'found a character in the value that headers cannot carry (a line break?)';
  }
}
