/**
 * `/connect/<id>` and `/connect/callback`: where a person logs in to a server for a call. The page verifies that the person who opens
 * it is the one who was asked, by a login as that person or by the code that only they were shown; sends the browser to the
 * authorization server; and takes what it brings back.
 *
 * Invariants: an address alone begins nothing; a login ends in the browser it began in, once; no address of a request leads
 * anywhere but to the authorization server of a configured server and back.
 * Source: MCP 2026-07-28 client/elicitation, "Phishing"; tutorials/security/security_best_practices.
 * @module
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { CheckedPerson, PersonCheck } from '../../auth/connect/person-check.ts';
import { type ConnectRequest, type ConnectRequests, identityIn } from '../../auth/connect/requests.ts';
import type { Logins } from '../../auth/upstream/types.ts';
import { SwitchboardError } from '../../core/errors.ts';
import type { Log } from '../../core/log.ts';
import { Shares } from '../../core/shares.ts';
import type { CheckingPages } from '../authorize/authorize.ts';
import { readBody } from '../http/body.ts';
import { header } from '../http/request.ts';
import { type Page, sendPage } from '../pages/page.ts';
import { Browsers } from './browser.ts';
import {
  codePage,
  connectedPage,
  failedPage,
  foreignFormPage,
  gonePage,
  lockedPage,
  onwardAsPersonPage,
  onwardPage,
  otherBrowserPage,
  otherPersonPage,
  personPage,
} from './pages.ts';

export interface ConnectOptions {
  logins: Pick<Logins, 'begin' | 'finish'>;
  requests: ConnectRequests;
  /** Signs cookies and forms; all replicas have the same. */
  secret: Buffer;
  /** Where browsers reach the gateway, without a slash at the end. */
  base(): string | undefined;
  /** Finds out who is at a browser, for the requests that need it. */
  check?: PersonCheck | undefined;
  /** Resolves when the server can be called, or could not be connected. Never rejects. */
  ready(server: string): Promise<void>;
  /** The page of a login that has ended well was sent to a browser. */
  shown?(id: string): void;
}

/** An address below `/connect`. */
export interface ConnectAddress {
  to: 'connect';
  /** `callback`, or the id of a page. */
  page: string;
  query: URLSearchParams | undefined;
}

export interface ConnectHandler extends CheckingPages {
  serve(req: IncomingMessage, res: ServerResponse, address: ConnectAddress): void;
}

const MAX_BODY_BYTES = 4 * 1024;
/** Without a share per principal: who opens a page is not known, and bodies are too small to be counted. */
const BODY = {
  maxBytes: MAX_BODY_BYTES,
  held: new Shares(Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY),
  principal: '',
};

/** `Host` was checked already. */
export function createConnectHandler(
  { logins, requests, secret, base, check, ready, shown }: ConnectOptions,
  log: Log,
): ConnectHandler {
  const browsers = new Browsers(secret);
  const isSecure = (): boolean => base()?.startsWith('https:') === true;
  const browserOf = (req: IncomingMessage): string | undefined => browsers.of(header(req, 'cookie'), isSecure());

  async function serve(req: IncomingMessage, res: ServerResponse, { page, query }: ConnectAddress): Promise<void> {
    const { method } = req;
    if (method !== 'GET' && (method !== 'POST' || page === 'callback')) {
      res.setHeader('allow', page === 'callback' ? 'GET' : 'GET, POST');
      sendPage(res, failedPage('Not possible here', 'This address is opened in a browser.', 405));
    } else if (page === 'callback') {
      await callback(req, res, query ?? new URLSearchParams());
    } else {
      await open(req, res, page);
    }
  }

  async function open(req: IncomingMessage, res: ServerResponse, id: string): Promise<void> {
    const request = await requests.find(id);
    if (!request || !canBeOpened(request)) sendPage(res, gonePage);
    else if (request.finished) {
      if (shown) res.once('finish', () => shown(id));
      sendPage(res, connectedPage(request));
    } else if (await requests.isLocked(id)) sendPage(res, lockedPage);
    else if (req.method === 'POST') await receive(req, res, request);
    else ask(req, res, request);
  }

  function ask(req: IncomingMessage, res: ServerResponse, request: ConnectRequest, wrong = false): void {
    let browser = browserOf(req);
    if (browser === undefined) {
      const { id, cookie } = browsers.welcome(isSecure());
      res.setHeader('set-cookie', cookie);
      browser = id;
    }
    const token = browsers.formToken(browser, request.id);
    sendPage(
      res,
      isChecked(request) ? personPage({ request, token, at: check?.at ?? '' }) : codePage({ request, wrong, token }),
    );
  }

  async function receive(req: IncomingMessage, res: ServerResponse, request: ConnectRequest): Promise<void> {
    const { id } = request;
    const form = await formOf(req, res);
    const browser = browserOf(req);
    if (!isOwnOrigin(req, base()) || browser === undefined || !browsers.isFormToken(browser, id, form.get('form'))) {
      sendPage(res, foreignFormPage(addressOf(id)));
      return;
    }
    if (check && isChecked(request)) {
      sendOn(res, request, (await check.begin(id, browser)).href, onwardAsPersonPage);
      return;
    }
    const typed = await requests.type(id, form.get('code') ?? '');
    if (typed === 'locked') {
      log.warn(aboutOf(request), 'The page of a login was closed after too many wrong codes.');
      sendPage(res, lockedPage);
    } else if (typed === 'wrong') {
      ask(req, res, request, true);
    } else {
      sendOn(res, request, await begin(request, browser), onwardPage);
    }
  }

  /** The login at the server's authorization server: where the browser goes. */
  async function begin(request: ConnectRequest, browser: string): Promise<string> {
    const { id, server, scopes } = request;
    const redirectUri = `${base()}/connect/callback`;
    const { authorizationUrl, state } = await logins.begin(identityIn(request), server, { redirectUri, scopes });
    await requests.begun(id, state, browser);
    return authorizationUrl;
  }

  /** A person has said who they are: the page is theirs where that is who made the call. */
  async function checked(req: IncomingMessage, res: ServerResponse, person: CheckedPerson): Promise<void> {
    const request = await requests.find(person.page);
    const browser = browserOf(req);
    if (!request || !isChecked(request) || browser === undefined) sendPage(res, gonePage);
    else if (request.finished) redirect(res, addressOf(request.id));
    else if (person.principal === undefined) {
      const why = person.refusal ?? 'Nobody was logged in.';
      sendPage(res, failedPage('You are not connected', why, 403, addressOf(request.id)));
    } else if (person.principal !== request.principal) {
      log.warn({ ...aboutOf(request), person: person.principal }, 'The page of a login was opened by another person.');
      sendPage(res, otherPersonPage(person.principal, check?.at ?? '', addressOf(request.id)));
    } else redirect(res, await begin(request, browser));
  }

  async function callback(req: IncomingMessage, res: ServerResponse, query: URLSearchParams): Promise<void> {
    const states = query.getAll('state');
    const [state] = states;
    const login = states.length === 1 && state ? await requests.take(state) : undefined;
    if (!login || !state) {
      sendPage(
        res,
        failedPage('This login is not known', 'It was used already, has expired, or never began here.', 400),
      );
      return;
    }
    const request = await requests.find(login.id);
    if (!login.isFrom(browserOf(req))) {
      if (request) log.warn(aboutOf(request), 'A login came back in another browser than it began in, and was ended.');
      // Another browser cannot end it with the code that this one has.
      await logins.finish(state, { state, error: 'access_denied' }).catch(() => {});
      sendPage(res, otherBrowserPage);
      return;
    }
    try {
      await logins.finish(state, query);
    } catch (error) {
      if (!(error instanceof SwitchboardError)) throw error;
      const refused = query.get('error') === 'access_denied';
      if (!refused) logFailure(error, request?.server);
      const why = refused ? 'The login was refused where you were asked for it.' : error.message;
      sendPage(res, failedPage('You are not connected', why, 400, addressOf(login.id)));
      return;
    }
    await requests.finish(login.id);
    if (request) {
      log.info(aboutOf(request), 'A person has logged in to a server.');
      await ready(request.server);
    }
    // The code and the state do not stay in the address.
    redirect(res, addressOf(login.id));
  }

  const isChecked = ({ proof }: ConnectRequest): boolean => proof === 'identity';
  /** The way of the proof may have been taken out of the configuration since. */
  const canBeOpened = (request: ConnectRequest): boolean =>
    request.finished || !isChecked(request) || check !== undefined;

  const addressOf = (id: string): string => `${base() ?? ''}/connect/${id}`;

  /** Logs a login that failed: its cause is mostly one that the operator can mend and the person cannot. */
  function logFailure(error: SwitchboardError, server = error.data.server): void {
    if (error.code === 'SWB_LOGIN_FAILED') log.warn({ server, err: error }, 'A login to a server could not go on.');
  }

  function fail(res: ServerResponse, error: unknown): void {
    const known = error instanceof SwitchboardError;
    if (!known) log.error({ err: error }, 'A page of a login failed.');
    else logFailure(error);
    if (res.headersSent) res.destroy();
    else sendPage(res, failureOf(known ? error : undefined));
  }

  return {
    serve: (req, res, address) => void serve(req, res, address).catch((error: unknown) => fail(res, error)),
    checked: (req, res, person) => void checked(req, res, person).catch((error: unknown) => fail(res, error)),
    browserOf,
  };
}

/** By a page, since browsers let no form lead to another site. */
function sendOn(
  res: ServerResponse,
  request: ConnectRequest,
  url: string,
  pageOf: (request: ConnectRequest, url: string) => Page,
): void {
  res.setHeader('refresh', `0; url=${url}`);
  sendPage(res, pageOf(request, url));
}

function redirect(res: ServerResponse, location: string): void {
  res.writeHead(303, { location, 'cache-control': 'no-store', 'referrer-policy': 'no-referrer' });
  res.end();
}

function failureOf(error: SwitchboardError | undefined): Page {
  if (!error) return failedPage('This went wrong', 'The gateway failed on this page. Its log has the details.', 500);
  const status = error.httpStatus >= 400 ? error.httpStatus : 502;
  return failedPage('You cannot be connected now', error.message, status);
}

const aboutOf = ({ server, principal }: ConnectRequest) => ({ server, principal });

/** A browser says where the page of a form was loaded from: here, seen from inside or outside of a proxy. */
function isOwnOrigin(req: IncomingMessage, base: string | undefined): boolean {
  const { origin, host } = req.headers;
  if (origin === undefined) return false;
  const outside = base === undefined ? undefined : new URL(base).origin;
  return origin === outside || origin === `http://${host}` || origin === `https://${host}`;
}

function formOf(req: IncomingMessage, res: ServerResponse): Promise<URLSearchParams> {
  const [type] = (header(req, 'content-type') ?? '').toLowerCase().split(';');
  if (type?.trim() !== 'application/x-www-form-urlencoded') {
    throw new SwitchboardError('SWB_UNSUPPORTED_MEDIA_TYPE', 'This page takes its own form only.');
  }
  return new Promise((resolve, reject) => {
    readBody(req, res, BODY, (body) => resolve(new URLSearchParams(body.toString('utf8'))), reject);
  });
}
