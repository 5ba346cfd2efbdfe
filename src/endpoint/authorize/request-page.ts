/**
 * The page of a client's request for authorization: which client, where it continues, what it may do; and what to do if the person
 * expected none of this. In single-user mode the admin token is typed on it.
 * @module
 */
import type { AuthorizationRequest } from '../../auth/bridge/bridge.ts';
import { redirectTarget } from '../../auth/bridge/client-metadata.ts';
import { foreignName, type Html, html } from '../pages/html.ts';
import type { Page } from '../pages/page.ts';

export interface RequestPageOptions {
  asksForToken: boolean;
  /** What went wrong with the form that was sent before. */
  fault?: string | undefined;
}

/** What a client may do with this scope, in words; one of the operator's stands as it is. */
function wordsFor({ hasOtherScopes }: AuthorizationRequest, scope: string): Html {
  if (scope !== 'mcp') return html`What <code>${foreignName(scope)}</code> allows`;
  return hasOtherScopes
    ? html`See which tools, prompts, resources and agents are open to you`
    : html`Use the tools, prompts, resources and agents that are open to you`;
}

export function requestPage(request: AuthorizationRequest, { asksForToken, fault }: RequestPageOptions): Page {
  const { clientName, clientId, redirectUri, resource, scopes, formToken } = request;
  const name = foreignName(clientName || clientId);
  const target = redirectTarget(redirectUri);
  const body = html`
${fault !== undefined && html`<p class="fault" role="alert">${fault}</p>`}
<p>A program that calls itself <strong>${name}</strong> asks to use this gateway in your name.</p>
<dl>
<div><dt>Client</dt><dd>${name}<br><small>${known(request)}</small></dd></div>
<div><dt>Continues at</dt><dd><code>${foreignName(target.name, 200)}</code><br><small>${WHERE[target.kind]}</small></dd></div>
<div><dt>Endpoint</dt><dd><code>${foreignName(resource, 200)}</code></dd></div>
<div><dt>It may</dt><dd><ul>${scopes.map((scope) => html`<li>${wordsFor(request, scope)}</li>`)}</ul></dd></div>
</dl>
<p class="note">Allow this only if you have just started it yourself, in a program you trust.</p>
<form method="post" autocomplete="off">
<input type="hidden" name="form" value="${formToken}">
${asksForToken && TOKEN_FIELD}
<div class="actions">
<button class="first" name="answer" value="allow">${asksForToken ? 'Log in and allow' : 'Allow'}</button>
<button name="answer" value="deny" formnovalidate>Cancel</button>
</div>
</form>`;
  return {
    title: asksForToken ? 'Log in to allow access' : 'Allow access?',
    body,
    formTargets: [target.source],
    status: fault === undefined ? 200 : 403,
  };
}

const TOKEN_FIELD = html`<label for="token">Admin token</label>
<input id="token" name="token" type="password" required autocomplete="off" autocapitalize="none" spellcheck="false" aria-describedby="where">
<small id="where">Only the gateway reads it. It is gateway.adminToken, or the file admin-token in the state folder.</small>`;

function known({ clientFrom, clientId }: AuthorizationRequest): Html {
  if (clientFrom === 'operator') return html`Known to the operator of this gateway.`;
  if (clientFrom === 'document')
    return html`Its name comes from <code>${foreignName(new URL(clientId).host, 200)}</code>.`;
  return html`It chose this name itself; nobody has checked it.`;
}

const WHERE = {
  app: 'An app on this device that opens such addresses.',
  loopback: 'A program on this computer.',
  web: 'A website, which gets access in your name.',
} as const;

/** The browser goes on to another site; by a page, since browsers let no form lead there. */
export function continuePage(url: URL): Page {
  return {
    title: 'Log in',
    body: html`<p>You are sent on to <strong>${foreignName(url.host, 200)}</strong> to log in.</p>
<div class="actions"><a class="button first" href="${url.href}">Continue</a></div>`,
  };
}

export const messagePage = (title: string, text: string, status: number): Page => ({
  title,
  body: html`<p>${text}</p><p class="quiet">You can close this page.</p>`,
  status,
});
