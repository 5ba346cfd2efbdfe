/**
 * Checks the URLs of a configuration. They may hold credentials, so no message quotes one.
 * @module
 */
import { isIPv6 } from 'node:net';
import type { JsonPath } from './jsonc.ts';
import type { Findings } from './mistakes.ts';

/** The URL of a server, or a sentence part that says why the text is none. */
export function parseServerUrl(text: string): URL | string {
  const url = URL.parse(text);
  if (url === null) {
    return /^[\w.-]+(:\d+)?(\/|$)/.test(text)
      ? 'found an address without its scheme; write http:// or https:// before it'
      : 'found a string that is no URL; allowed: an http or https URL';
  }
  if (url.protocol === 'ws:' || url.protocol === 'wss:') {
    return 'found a WebSocket URL; MCP has no such transport; allowed: an http or https URL, or "type": "mqtt" for a broker';
  }
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    // `localhost:4111` parses as a URL whose scheme is localhost.
    return /^[\w.-]+:\d+(\/|$)/.test(text)
      ? 'found an address without its scheme; write http:// or https:// before it'
      : `found a URL that begins with ${url.protocol.slice(0, 20)}; allowed: an http or https URL`;
  }
  if (url.username !== '' || url.password !== '') {
    return 'found credentials in the URL; send them with headers (Authorization) instead';
  }
  url.hash = '';
  return url;
}

/** The normalised URL; for a text that is none, reports a mistake and returns the text. */
export function checkUrl(text: string, path: JsonPath, findings: Findings): string {
  const url = parseServerUrl(text);
  if (typeof url !== 'string') return url.href;
  findings.mistake(path, url);
  return text;
}

/** `127.0.0.0/8`, `::1` and `localhost`, which only this machine can reach. */
export function isLoopbackHost(host: string): boolean {
  const name = host.toLowerCase().replace(/^\[(.*)\]$/, '$1');
  return (
    name === 'localhost' ||
    /^127(\.\d{1,3}){3}$/.test(name) ||
    (isIPv6(name) && new URL(`http://[${name}]`).hostname === '[::1]')
  );
}
