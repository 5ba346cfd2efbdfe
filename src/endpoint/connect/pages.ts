/**
 * The pages of a login to a server, for the person in the browser.
 * @module
 */
import { type ConnectRequest, MAX_WRONG_CODES } from '../../auth/connect/requests.ts';
import { GATEWAY_IDENTITY } from '../../core/credentials.ts';
import { foreignName, type Html, html } from '../pages/html.ts';
import type { Page } from '../pages/page.ts';

export interface CodeForm {
  request: ConnectRequest;
  /** `form`, to be sent back. */
  token: string;
  /** The code that was typed last is wrong. */
  wrong?: boolean;
}

export interface PersonForm {
  request: ConnectRequest;
  /** `form`, to be sent back. */
  token: string;
  /** The host where people log in as themselves. */
  at: string;
}

const WHY: Readonly<Record<ConnectRequest['reason'], string>> = {
  login: 'A call through this gateway needs your account at a server.',
  'step-up': 'A call through this gateway needs more rights than your login at a server has.',
  expired: 'A call through this gateway needs a login to a server that has expired.',
};

/** Asks for the code. */
export function codePage({ request, token, wrong = false }: CodeForm): Page {
  return {
    title: TITLE,
    status: wrong ? 422 : 200,
    body: html`
${about(request)}
<p class="note">Go on only if you made this call yourself. If somebody sent you this link or a code, close the page: they would use
your account.</p>
<form method="post">
<input type="hidden" name="form" value="${token}">
<label for="code">Code that your client shows with the link</label>
${wrong && html`<p class="fault" id="wrong" role="alert">This is not the code. Look at the message of your client again; ${MAX_WRONG_CODES} wrong codes end the link.</p>`}
<input type="text" id="code" name="code" required autocomplete="one-time-code" autocapitalize="characters" spellcheck="false"
maxlength="40" placeholder="XXXX-XXXX"${wrong && html` aria-invalid="true" aria-describedby="wrong"`} autofocus>
<div class="actions"><button class="first" type="submit">Go on to log in</button></div>
</form>`,
  };
}

/** Asks the person who opens it to log in as the one who made the call. */
export function personPage({ request, token, at }: PersonForm): Page {
  return {
    title: TITLE,
    body: html`
${about(request)}
<p>You log in twice: at <strong>${foreignName(at)}</strong>, to show that you made this call yourself, and then at the server.</p>
<form method="post">
<input type="hidden" name="form" value="${token}">
<div class="actions"><button class="first" type="submit">Go on to log in</button></div>
</form>`,
  };
}

const TITLE = 'Log in for a call';

/** An issuer and a subject: cut short, it could be taken for another one. */
const MAX_PRINCIPAL = 300;

function about({ server, principal, client, reason, scopes, createdAt }: ConnectRequest): Html {
  return html`<p>${WHY[reason]}</p>
<dl>
<div><dt>Server</dt><dd>${foreignName(server)}</dd></div>
<div><dt>For calls of</dt><dd>${principal === GATEWAY_IDENTITY.principal ? html`<strong>everybody</strong> who uses this gateway` : foreignName(principal, MAX_PRINCIPAL)}${asked(client, createdAt)}</dd></div>
${scopes.length > 0 && html`<div><dt>Rights</dt><dd>${scopes.map((scope, i) => html`${i > 0 && ', '}<code>${foreignName(scope)}</code>`)}</dd></div>`}
</dl>`;
}

function asked(client: string | undefined, createdAt: number): Html {
  const minutes = Math.floor((Date.now() - createdAt) / 60_000);
  const when = minutes < 1 ? 'just now' : `${minutes} min ago`;
  return client === undefined
    ? html` <span class="quiet">(${when})</span>`
    : html` <span class="quiet">(with a client that calls itself ${foreignName(client)}, ${when})</span>`;
}

/** Leads on by itself (`Refresh`), and by a link where a browser does not. `form-action` would keep a redirect from leaving. */
export function onwardPage({ server }: ConnectRequest, url: string): Page {
  return {
    title: 'On to the login',
    body: html`
<p>The server <strong>${foreignName(server)}</strong> has you log in at <strong>${foreignName(new URL(url).host)}</strong>.</p>
<div class="actions"><a class="button first" href="${url}" rel="noreferrer">Go on</a></div>`,
  };
}

/** As {@link onwardPage}, to where the person says who they are. */
export function onwardAsPersonPage(_request: ConnectRequest, url: string): Page {
  return {
    title: 'On to the login',
    body: html`
<p>First log in as yourself at <strong>${foreignName(new URL(url).host)}</strong>.</p>
<div class="actions"><a class="button first" href="${url}" rel="noreferrer">Go on</a></div>`,
  };
}

export const connectedPage = ({ server }: ConnectRequest): Page => ({
  title: 'You are connected',
  body: html`
<p>The gateway has your login to the server <strong>${foreignName(server)}</strong>. You can close this page.</p>
<p><strong>Go back to your client</strong>: it goes on, or sends the call again.</p>
<p class="quiet">To take the login back: <code>switchboard connections revoke</code>, with the server's name.</p>`,
});

/** The person, or the authorization server, ended the login. `again`: the page's own address, where it can be tried again. */
export const failedPage = (title: string, why: string, status: number, again?: string): Page => ({
  title,
  status,
  body: html`
<p class="fault" role="alert">${why}</p>
${
  again === undefined
    ? html`<p>Nothing was connected. Send the call again to get a new link.</p>`
    : html`<p>Nothing was connected.</p>
<div class="actions"><a class="button first" href="${again}">Try again</a></div>`
}`,
});

export const gonePage: Page = failedPage('This link is not valid', 'It has expired, was used, or never was one.', 404);

export const lockedPage: Page = failedPage('This link is closed', 'Too many wrong codes were typed here.', 410);

export const otherBrowserPage: Page = failedPage(
  'This login began in another browser',
  'A login ends in the browser it began in. If somebody sent you the link, they wanted to use your account: nothing was given to them.',
  403,
);

/** `principal`: who is at the browser; `at`: where they are logged in. */
export const otherPersonPage = (principal: string, at: string, again: string): Page => ({
  title: 'This link is for somebody else',
  status: 403,
  body: html`
<p class="fault" role="alert">You are not the one who made the call. If somebody sent you the link, they wanted to use your account: nothing was
given to them.</p>
<dl><div><dt>You are logged in as</dt><dd>${foreignName(principal, MAX_PRINCIPAL)}</dd></div></dl>
<p>If the call is yours, log out at <strong>${foreignName(at)}</strong>, and come back as the account that your client uses.</p>
<div class="actions"><a class="button" href="${again}">Try again</a></div>`,
});

export const foreignFormPage = (again: string): Page =>
  failedPage(
    'This form is not of this page',
    'It came from another site, or the page was open for too long.',
    403,
    again,
  );
