/** The pages for operators: login, navigation, and the page that the address names. */
import { signal } from '@preact/signals';
import { type FunctionComponent, render, type VNode } from 'preact';
import { useEffect } from 'preact/hooks';
import { AccessPage } from './access.ts';
import { connected, loggedIn, logIn, logOut, messageOf, resume, who } from './api.ts';
import { ApprovalsPage } from './approvals.ts';
import { CallsPage } from './calls.ts';
import { ConnectPage } from './connect.ts';
import { DefinitionsPage } from './definitions.ts';
import { waiting, watch } from './live.ts';
import { Login, Mark, problem } from './login.ts';
import { ServersPage } from './servers.ts';
import { TryPage } from './try.ts';
import { html, Name, Unseen } from './ui.ts';

interface Entry {
  path: string;
  title: string;
  page: FunctionComponent;
}

/** In the order of the navigation: a page is a file in this folder and a line here. */
const PAGES: readonly Entry[] = [
  { path: 'servers', title: 'Servers', page: ServersPage },
  { path: 'calls', title: 'Calls', page: CallsPage },
  { path: 'approvals', title: 'Approvals', page: ApprovalsPage },
  { path: 'try', title: 'Try it', page: TryPage },
  { path: 'connect', title: 'Connect a client', page: ConnectPage },
  { path: 'access', title: 'Policy and grants', page: AccessPage },
  { path: 'definitions', title: 'Definitions', page: DefinitionsPage },
];

/** What stands behind the `#/`. */
const pathNow = (): string => location.hash.replace(/^#\/?/, '').split('?')[0] ?? '';
const path = signal(pathNow());
window.addEventListener('hashchange', () => {
  path.value = pathNow();
});

function App(): VNode | null {
  if (loggedIn.value === undefined) return null;
  return loggedIn.value ? html`<${Desk} />` : html`<${Login} />`;
}

function Desk(): VNode {
  useEffect(() => watch(), []);
  const current = PAGES.find((each) => each.path === path.value) ?? (PAGES[0] as Entry);
  return html`<a class="skip" href="#main" onClick=${skip}>Skip to the page</a>
    <nav aria-label="Pages">
      <a class="mark" href="#/servers"><${Mark} />Switchboard</a>
      <ul>
        ${PAGES.map(
          ({ path: to, title }) => html`<li key=${to}>
            <a href=${`#/${to}`} aria-current=${to === current.path ? 'page' : undefined}>${title}
              ${
                to === 'approvals' && waiting.value.length > 0
                  ? html`<span class="count">${waiting.value.length}<${Unseen}> waiting<//></span>`
                  : null
              }</a>
          </li>`,
        )}
      </ul>
      <footer>
        <span class=${`live ${connected.value ? 'on' : ''}`} role="status">${connected.value ? 'Live' : 'Not connected'}</span>
        <button type="button" class="quiet" onClick=${() => void logOut()}>Log out</button>
        ${who.value.name === undefined ? null : html`<span class="who">Logged in as <b><${Name} of=${who.value.name} /></b></span>`}
        ${who.value.mayChange ? null : html`<span>You may look, and change nothing.</span>`}
      </footer>
    </nav>
    <main id="main" tabindex="-1"><${current.page} key=${current.path} /></main>`;
}

function skip(event: Event): void {
  event.preventDefault();
  document.getElementById('main')?.focus();
}

/** A link of the terminal, or of a login at the identity provider, opens a session once. It stands behind the `#`, which browsers send to no server. */
async function begin(): Promise<void> {
  const link = /^#login=([\w-]+)$/.exec(location.hash)?.[1];
  if (link === undefined) await resume();
  else {
    history.replaceState(null, '', location.pathname);
    path.value = pathNow();
    await logIn({ link }).catch((error: unknown) => {
      problem.value = messageOf(error);
      loggedIn.value = false;
    });
  }
}

const root = document.getElementById('app');
if (root) {
  void begin();
  root.textContent = '';
  render(html`<${App} />`, root);
}
