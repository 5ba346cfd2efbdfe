/**
 * The login of operators: with the admin token, with a link of the terminal, or at the identity provider, from where the browser
 * comes back to `/admin/login/callback`. Each ends in a session of this browser.
 *
 * Invariants: a login at the provider begins on the gateway's own page alone, ends in the browser it began in, once, and makes a
 * session where a claim makes the person an operator, and nowhere else. No address of a request leads anywhere but to the pages.
 * @module
 */
import type { FinishedLogin, OperatorLogin } from '../../auth/operators/login.ts';
import { type Operator, TOKEN_OPERATOR } from '../../auth/operators/operator.ts';
import { SwitchboardError } from '../../core/errors.ts';
import { Quiet } from '../../core/quiet.ts';
import { isObject } from '../../wire/jsonrpc.ts';
import { parseJson } from '../messages.ts';
import { document as documentOf, type Page, pageHeaders } from '../pages/page.ts';
import type { BrowserSessions } from './browser-sessions.ts';
import { cookieIn, loginCookie, loginCookieIn, sessionCookie } from './cookies.ts';
import { notLoggedInPage, strangerPage } from './login-pages.ts';
import type { AdminReply, AdminRequest, AdminRoute, RouteSources } from './route.ts';

/** What the page of the login has to know before a login. */
export interface LoginJson {
  /** Undefined: the admin token alone opens the pages. */
  provider?: {
    /** The host where people log in. */
    at: string;
    /** The pages from which a login begins: cookies of another address would not be there when it ends. */
    pages: string;
  };
}

/** What the page has to know after a log-out. */
export interface LogoutJson {
  /** The person is still logged in there, and can log out at this URL. */
  provider?: { at: string; url: string };
}

export function loginRoutes({ sessions, isToken, login, tell, log }: RouteSources): AdminRoute[] {
  const about: LoginJson = login ? { provider: { at: login.at, pages: login.pages.href } } : {};
  return [
    { method: 'GET', path: '/admin/api/login', open: true, handle: () => ({ json: about }) },
    {
      method: 'POST',
      path: '/admin/api/login',
      open: true,
      handle: (request) => openSession(request, { sessions, isToken, login, tell }),
    },
    {
      method: 'POST',
      path: '/admin/api/logout',
      // A session that may only look can be ended, too.
      viewers: true,
      reads: () => true,
      handle: async ({ headers, operator }) => {
        const cookie = cookieIn(headers);
        if (cookie !== undefined) await sessions.close(cookie);
        tell({ operator, action: 'logout', outcome: 'ok' });
        const url = operator.principal === TOKEN_OPERATOR.principal ? undefined : await login?.endSession();
        const json: LogoutJson = login && url !== undefined ? { provider: { at: login.at, url } } : {};
        return { json, headers: { 'set-cookie': sessionCookie(headers, '') } };
      },
    },
    {
      method: 'GET',
      path: '/admin/api/session',
      handle: ({ operator: { name, mayChange } }) => ({ json: { open: true, name, mayChange } }),
    },
    ...(login ? providerRoutes(login, { sessions, tell, log }) : []),
  ];
}

type Parts = Pick<RouteSources, 'sessions' | 'tell' | 'log'>;

function providerRoutes(login: OperatorLogin, { sessions, tell, log }: Parts): AdminRoute[] {
  const secure = login.pages.protocol === 'https:';
  const quiet = new Quiet();

  /** Whoever reaches the gateway can begin a login and come back as often as they like: lines of one kind are few. */
  function write(level: 'info' | 'warn', text: string, fields: object, kind = text): void {
    const skipped = quiet.skippedBefore(kind);
    if (skipped !== undefined) log[level]({ ...fields, ...(skipped === 0 ? {} : { alsoRefused: skipped }) }, text);
  }

  async function begin({ headers }: AdminRequest): Promise<AdminReply> {
    // The cookie has to be one of the address where the browser comes back; and a request without an origin is no page's.
    if (headers.origin !== login.pages.origin)
      throw new SwitchboardError('SWB_ORIGIN_REFUSED', `Logins begin at ${login.pages.href}.`);
    try {
      const { url, sealed } = await login.begin();
      return { json: { url }, headers: { 'set-cookie': loginCookie(headers, sealed, secure) } };
    } catch (error) {
      write('warn', 'The identity provider of operators cannot be reached, or is none.', { err: error });
      throw new SwitchboardError(
        'SWB_ISSUER_UNAVAILABLE',
        'The login provider does not answer. Try again in a moment.',
      );
    }
  }

  async function callback({ headers, query }: AdminRequest): Promise<AdminReply> {
    try {
      const finished = await login.finish(loginCookieIn(headers, secure), query);
      if ('operator' in finished) return await arrived(finished.operator, headers);
      return pageOf(refused(finished), loginCookie(headers, '', secure));
    } catch (error) {
      write('warn', 'A login of an operator failed.', { err: error });
      const why = 'The gateway could not go on with this login. Its log has the details.';
      return pageOf(notLoggedInPage(why, 502), loginCookie(headers, '', secure));
    }
  }

  async function arrived(operator: Operator, headers: AdminRequest['headers']): Promise<AdminReply> {
    const { code, cookie } = await sessions.arrive(operator);
    // Relative: the way back is the way the browser came, whatever a proxy calls the gateway. The code is sent to no server.
    const onward = { location: `../#login=${code}`, 'set-cookie': loginCookie(headers, cookie, secure) };
    return { status: 303, type: 'text/plain', body: '', headers: onward };
  }

  function refused(finished: Exclude<FinishedLogin, { operator: Operator }>): Page {
    if (!('stranger' in finished)) {
      const { refusal: reason, cause: err, begun } = finished;
      if (begun) write('info', 'A login of an operator was refused.', { reason, err }, reason);
      return notLoggedInPage(reason);
    }
    const { stranger, missing } = finished;
    const { principal, name: person } = stranger;
    const operator = { ...stranger, mayChange: false };
    tell({ operator, action: 'login', outcome: 'denied', errorCode: 'SWB_FORBIDDEN' });
    log.warn(
      { principal, person, missingClaims: missing },
      missing.length === 0
        ? 'A person has logged in at the provider, and no rule of gateway.admin.login makes them an operator.'
        : 'A person has logged in at the provider, and their ID token lacks claims that gateway.admin.login speaks of.',
    );
    return strangerPage(person ?? '', login.at);
  }

  return [
    { method: 'POST', path: '/admin/api/login/begin', open: true, handle: begin },
    { method: 'GET', path: '/admin/login/callback', open: true, handle: callback },
  ];
}

const pageOf = (page: Page, cookie: string): AdminReply => ({
  status: page.status ?? 200,
  type: 'text/html; charset=utf-8',
  body: documentOf(page),
  headers: { ...(pageHeaders() as Record<string, string>), 'set-cookie': cookie },
});

/** The body is `{ "token": "…" }` or `{ "link": "…" }`. The reply holds the page's key of the session. */
async function openSession(
  { body, headers, from }: AdminRequest,
  { sessions, isToken, login, tell }: Pick<RouteSources, 'sessions' | 'isToken' | 'login' | 'tell'>,
): Promise<AdminReply> {
  // Another site's form cannot send JSON, and a request without an origin is no browser's.
  const given: unknown = body.length === 0 ? {} : parseJson(body);
  const { token, link } = isObject(given) ? given : {};
  const operator =
    typeof token === 'string'
      ? isToken(token, from) && TOKEN_OPERATOR
      : typeof link === 'string' && (await operatorOfLink(link, headers, sessions, login));
  if (!operator) {
    throw new SwitchboardError(
      'SWB_FORBIDDEN',
      typeof link === 'string'
        ? 'This link has been used or has expired. Log in again.'
        : 'This is not the admin token. It is in the file admin-token of the state folder, or in gateway.adminToken.',
    );
  }
  const before = cookieIn(headers);
  if (before !== undefined) await sessions.close(before);
  const { cookie, key, expiresAt } = await sessions.open(operator);
  tell({ operator, action: 'login', outcome: 'ok' });
  const { name, mayChange } = operator;
  return {
    json: { key, expiresAt: new Date(expiresAt).toISOString(), name, mayChange },
    headers: { 'set-cookie': sessionCookie(headers, cookie) },
  };
}

/** A link of the terminal, or one with which a person is back from the provider. */
async function operatorOfLink(
  link: string,
  headers: AdminRequest['headers'],
  sessions: BrowserSessions,
  login: OperatorLogin | undefined,
): Promise<Operator | undefined> {
  if (await sessions.useLink(link)) return TOKEN_OPERATOR;
  return login && sessions.useArrival(link, loginCookieIn(headers, login.pages.protocol === 'https:'));
}
