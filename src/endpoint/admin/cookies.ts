/**
 * The cookies of operators: of a session, and of a login under way at the identity provider. Browsers share cookies among the
 * ports of a host, so the port is part of their names: two gateways on one machine do not end each other's sessions.
 * @module
 */
import type { IncomingHttpHeaders } from 'node:http';

/** A proxy may have taken TLS off: the page's origin says what the browser sees. Only requests that change something have one. */
const isSecure = ({ origin, host }: IncomingHttpHeaders): boolean => origin === `https://${host}`;

const portOf = ({ host }: IncomingHttpHeaders): string => /:(\d{1,5})$/.exec(host ?? '')?.[1] ?? '';

type Kind = 'admin' | 'admin-login';

const nameFor = (kind: Kind, headers: IncomingHttpHeaders, secure: boolean): string =>
  `${secure ? '__Host-' : ''}swb-${kind}${portOf(headers)}`;

/** `Set-Cookie` of a session; with an empty value the browser forgets it. */
export function sessionCookie(headers: IncomingHttpHeaders, value: string): string {
  const secure = isSecure(headers);
  const ends = value === '' ? '; Max-Age=0' : '';
  return `${nameFor('admin', headers, secure)}=${value}; Path=/; HttpOnly; SameSite=Strict${secure ? '; Secure' : ''}${ends}`;
}

/** The value of the session's cookie, under either name. */
export const cookieIn = (headers: IncomingHttpHeaders): string | undefined =>
  namedIn(headers, nameFor('admin', headers, true)) ?? namedIn(headers, nameFor('admin', headers, false));

/** Longer than it takes at the provider, and not much longer. */
const LOGIN_SECONDS = 15 * 60;

/**
 * `Set-Cookie` of a login under way. It has to be there when the provider sends the browser back, which `Strict` would not allow.
 * `secure`: the pages are reached by https.
 */
export function loginCookie(headers: IncomingHttpHeaders, value: string, secure: boolean): string {
  const ends = value === '' ? 0 : LOGIN_SECONDS;
  const name = nameFor('admin-login', headers, secure);
  return `${name}=${value}; Path=/; HttpOnly; SameSite=Lax; Max-Age=${ends}${secure ? '; Secure' : ''}`;
}

/** Under its own name alone: where there is TLS no other host of the domain can set it. */
export const loginCookieIn = (headers: IncomingHttpHeaders, secure: boolean): string | undefined =>
  namedIn(headers, nameFor('admin-login', headers, secure));

function namedIn({ cookie }: IncomingHttpHeaders, name: string): string | undefined {
  for (const pair of cookie?.split(';') ?? []) {
    const at = pair.indexOf('=');
    if (at > 0 && pair.slice(0, at).trim() === name) return pair.slice(at + 1).trim();
  }
  return undefined;
}
