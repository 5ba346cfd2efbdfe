/** The page on which operators log in: at the identity provider, where there is one, and with the admin token. */
import { signal } from '@preact/signals';
import type { VNode } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import type { LoginJson, LogoutJson } from '../login.ts';
import { api, logIn, logInAtProvider, messageOf, stillAt } from './api.ts';
import { html, Note } from './ui.ts';

export const Mark = (): VNode =>
  html`<svg viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="2" stroke-linecap="round" aria-hidden="true">
    <circle cx="5" cy="6" r="2" /><circle cx="5" cy="18" r="2" /><circle cx="19" cy="12" r="2" />
    <path d="M7 6c6 0 4 6 10 6M7 18c6 0 4-6 10-6" /></svg>`;

export const problem = signal('');

export function Login(): VNode | null {
  const [about, setAbout] = useState<LoginJson | undefined>(undefined);
  const [busy, setBusy] = useState(false);
  const begin = async (act: () => Promise<void>): Promise<void> => {
    setBusy(true);
    problem.value = '';
    await act().catch((error: unknown) => {
      problem.value = messageOf(error);
    });
    setBusy(false);
  };
  const submit = (event: SubmitEvent): void => {
    event.preventDefault();
    const form = event.target as HTMLFormElement;
    void begin(() => logIn({ token: String(new FormData(form).get('token') ?? '').trim() }));
  };
  useEffect(() => {
    document.title = 'Log in – Switchboard';
    // Where it cannot be had, the token is what there is.
    api<LoginJson>('api/login').then(setAbout, () => setAbout({}));
  }, []);
  if (about === undefined) return null;
  const { provider } = about;
  return html`<main class="login">
    <div class="card">
      <p class="mark"><${Mark} />Switchboard</p>
      <h1>Log in</h1>
      <p>These pages are for whoever runs this gateway. ${
        provider ? 'Log in as yourself, or type' : 'Type'
      } the admin token once; this browser then stays logged in for twelve hours at most.</p>
      ${stillAt.value ? html`<${Still} ...${stillAt.value} />` : null}
      ${problem.value ? html`<${Note} tone="fault">${problem.value}<//>` : null}
      ${provider ? html`<${Provider} of=${provider} busy=${busy} onBegin=${() => void begin(logInAtProvider)} />` : null}
      <form onSubmit=${submit}>
        <label for="token">Admin token</label>
        <input id="token" name="token" type="password" autocomplete="current-password" required autofocus=${!provider}
          aria-describedby="where" />
        <p class="quiet" id="where">It is in the file <code>admin-token</code> of the state folder
          (<code>.switchboard</code>), or it is <code>gateway.adminToken</code>.</p>
        <button class=${provider ? '' : 'first'} disabled=${busy}>Log in</button>
      </form>
    </div>
  </main>`;
}

/** Shown after a log-out: the provider still knows this browser, and would log it in again without asking. */
function Still({ at, url }: NonNullable<LogoutJson['provider']>): VNode {
  return html`<${Note} tone="quiet">You are logged out here, and still logged in at ${at}. <a href=${url}>Log out there, too</a><//>`;
}

interface ProviderProps {
  of: NonNullable<LoginJson['provider']>;
  busy: boolean;
  onBegin(): void;
}

/** At another address of the gateway than the one the browser comes back to, the way there. */
function Provider({ of: { at, pages }, busy, onBegin }: ProviderProps): VNode {
  const label = `Log in with ${at}`;
  return html`<p class="actions">${
    new URL('.', location.href).href === pages
      ? html`<button type="button" class="first" disabled=${busy} onClick=${onBegin}>${label}</button>`
      : html`<a class="button first" href=${pages}>${label}, at ${new URL(pages).host}</a>`
  }</p>`;
}
