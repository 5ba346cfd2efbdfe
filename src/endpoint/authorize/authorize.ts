/**
 * The addresses of the bridge authorization server: those of the protocol are served by the bridge, the pages for persons are
 * here. They work without JavaScript.
 * @module
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { type Bridge, browserCookie, CALLBACK, cookieOf, LoginRefused, PAGES } from '../../auth/bridge/bridge.ts';
import { ROUTES } from '../../auth/bridge/provider.ts';
import type { CheckedHandler } from '../../auth/connect/person-check.ts';
import { SwitchboardError } from '../../core/errors.ts';
import type { Log } from '../../core/log.ts';
import { hasUnreadBody } from '../http/body.ts';
import { type Page, sendPage } from '../pages/page.ts';
import { readForm } from './forms.ts';
import { continuePage, messagePage, requestPage } from './request-page.ts';

/** The pages on which people log in to servers, where they have the bridge find out who is there. */
export interface CheckingPages {
  /** What ties their logins to a browser; undefined where it has never been there. */
  browserOf(req: IncomingMessage): string | undefined;
  checked: CheckedHandler;
}

/** Serves a request at one of the addresses; `url` begins with the gateway's own path. */
export type AuthorizeHandler = (
  req: IncomingMessage,
  res: ServerResponse,
  url: string,
  pages?: CheckingPages | undefined,
) => void;

const METADATA = ['/.well-known/oauth-authorization-server', '/.well-known/openid-configuration'] as const;

const PROTOCOL: ReadonlySet<string> = new Set(Object.values(ROUTES));

export function createAuthorizeHandler(bridge: Bridge, log: Log): AuthorizeHandler {
  const { origin, pathname } = new URL(bridge.issuer);
  const issuerPath = pathname === '/' ? '' : pathname;
  const cookie = browserCookie(bridge.issuer);

  async function servePage(req: IncomingMessage, res: ServerResponse, uid: string): Promise<void> {
    const browser = cookieOf(req, cookie);
    const request = await bridge.find(uid, browser);
    if (!request || browser === undefined) {
      throw new LoginRefused('This login is over, or was begun in another browser. Start again in the client.');
    }
    const { asksForToken } = bridge;
    if (req.method === 'GET' || req.method === 'HEAD') {
      sendPage(res, requestPage(request, { asksForToken }));
      return;
    }
    if (req.method !== 'POST') {
      res.setHeader('allow', 'GET, POST');
      sendPage(res, messagePage('Not possible', 'This address is for the page of a login.', 405));
      return;
    }
    const form = await readForm(req, res, origin);
    if (!bridge.isFormOf(request, form.get('form') ?? '')) {
      throw new SwitchboardError('SWB_ORIGIN_REFUSED', 'This form was not sent from the page of this login.');
    }
    if (form.get('answer') !== 'allow') redirect(res, await bridge.deny(uid));
    else if (!asksForToken) sendOn(res, await bridge.beginLogin(uid, browser));
    else {
      try {
        redirect(res, await bridge.loginWithToken(uid, form.get('token') ?? ''));
      } catch (error) {
        if (!(error instanceof LoginRefused)) throw error;
        sendPage(res, requestPage(request, { asksForToken, fault: error.message }));
      }
    }
  }

  async function serveCallback(
    req: IncomingMessage,
    res: ServerResponse,
    query: URLSearchParams,
    pages: CheckingPages | undefined,
  ): Promise<void> {
    const reply = {
      code: query.get('code') ?? undefined,
      iss: query.get('iss') ?? undefined,
      error: query.get('error') ?? undefined,
    };
    const browsers = [cookieOf(req, cookie), pages?.browserOf(req)];
    const finished = await bridge.finishLogin(query.get('state') ?? '', browsers, reply);
    if ('goesTo' in finished) redirect(res, finished.goesTo);
    else if (pages) pages.checked(req, res, finished);
  }

  function fail(req: IncomingMessage, res: ServerResponse, error: unknown): void {
    if (res.headersSent) {
      res.destroy();
      return;
    }
    if (hasUnreadBody(req, 0)) res.shouldKeepAlive = false;
    if (error instanceof LoginRefused) {
      if (error.cause !== undefined) log.info({ err: error.cause }, 'A login was refused.');
      sendPage(res, messagePage('You are not logged in', error.message, 403));
    } else if (error instanceof SwitchboardError && error.httpStatus < 500) {
      sendPage(res, messagePage('This was refused', error.message, error.httpStatus));
    } else {
      log.error({ err: error }, 'A login failed.');
      const text = 'The gateway could not go on with this login. Its log has the details. Try again in a moment.';
      sendPage(res, messagePage('This did not work', text, 502));
    }
  }

  return (req, res, url, pages) => {
    const mark = url.indexOf('?');
    const path = mark === -1 ? url : url.slice(0, mark);
    const query = new URLSearchParams(mark === -1 ? '' : url.slice(mark + 1));
    const metadata = METADATA.find((each) => path === each || path === each + issuerPath);
    const failed = (error: unknown): void => fail(req, res, error);
    if (path.startsWith(PAGES)) servePage(req, res, path.slice(PAGES.length)).catch(failed);
    else if (path === CALLBACK) serveCallback(req, res, query, pages).catch(failed);
    else if (metadata !== undefined || PROTOCOL.has(path) || path.startsWith(`${ROUTES.authorization}/`)) {
      // The two documents are at the issuer's path too (RFC 8414, 3.1); the bridge knows them without.
      req.url = metadata === undefined ? url : metadata;
      if (req.headers.expect !== undefined) res.writeContinue();
      bridge.serve(req, res);
    } else {
      res.writeHead(404, { 'content-type': 'application/json' });
      res.end(JSON.stringify({ error: `There is no authorization server of this path here. It is ${bridge.issuer}.` }));
    }
  };
}

/** The page of an error of the protocol that must not be sent to a redirect URI. */
export function sendErrorPage(
  res: ServerResponse,
  { error, description, status }: { error: string; description: string | undefined; status: number },
): void {
  const text = `The client's request cannot be answered: ${description ?? error}. Start again in the client.`;
  sendPage(res, messagePage('This login cannot go on', text, status < 400 ? 400 : status));
}

function redirect(res: ServerResponse, location: string): void {
  res.writeHead(303, { location, 'cache-control': 'no-store', 'content-length': 0 });
  res.end();
}

function sendOn(res: ServerResponse, url: URL): void {
  res.setHeader('refresh', `0; url=${url.href}`);
  const page: Page = continuePage(url);
  sendPage(res, page);
}
