/**
 * Exposed URIs of resources and templates: `<server>+<original uri>`; `ui://host/…` keeps its scheme, which clients look
 * for, and becomes `ui://<server>+host/…`. Both are reversible: the server's part ends at the first `+`.
 *
 * In front of a scheme only `ALPHA *( ALPHA / DIGIT / "+" / "-" / "." )` may stand (RFC 3986, 3.1; clients that parse
 * URIs reject the whole list otherwise), so a server name with other characters is respelled and ends in a short hash.
 *
 * Tasks are `<server>+<task id>` in the same way. The id names its server, so that a task is found without remembering it:
 * after a restart of the gateway, and in any of several.
 * @module
 */
import { shortHash } from './naming.ts';

const SCHEME_SAFE = /^[A-Za-z][A-Za-z0-9.-]*$/;
const UI = /^ui:\/\//i;

/** The server's name as it stands in URIs. Holds no `+`. */
export function uriLabel(server: string): string {
  if (SCHEME_SAFE.test(server)) return server;
  const safe = server.replace(/[^A-Za-z0-9.-]/g, '-');
  return `${/^[A-Za-z]/.test(safe) ? '' : 's-'}${safe}-${shortHash(server, '')}`;
}

/** Works for URI templates too: what an exposed template expands to is the exposed form of what the original does. */
export function exposeUri(label: string, original: string): string {
  const ui = UI.exec(original)?.[0];
  return ui === undefined ? `${label}+${original}` : `${ui}${label}+${original.slice(ui.length)}`;
}

/** Takes an exposed URI apart. Undefined when it has no `+` where the server's part would end. */
export function splitUri(exposed: string): { label: string; original: string } | undefined {
  const ui = UI.exec(exposed)?.[0] ?? '';
  const plus = exposed.indexOf('+', ui.length);
  if (plus <= ui.length) return undefined;
  return { label: exposed.slice(ui.length, plus), original: `${ui}${exposed.slice(plus + 1)}` };
}

/** `label`: the server's {@link uriLabel}. */
export const exposeTask = (label: string, original: string): string => `${label}+${original}`;

/** Takes an exposed id apart. Undefined when it has no `+` after a server's part. */
export function splitTask(exposed: string): { label: string; original: string } | undefined {
  const plus = exposed.indexOf('+');
  return plus <= 0 ? undefined : { label: exposed.slice(0, plus), original: exposed.slice(plus + 1) };
}
