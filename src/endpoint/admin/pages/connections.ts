/** Connections: who is logged in to which server; a login is begun for a principal, and revoked. */
import type { VNode } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import type { AboutJson } from '../access.ts';
import type { ConnectionJson, PageJson } from '../connections.ts';
import { api, messageOf } from './api.ts';
import { Badge, Copyable, Dialog, Empty, html, Name, Note, Part, plain, relative } from './ui.ts';

const LOOK_MS = 1_000;

export function ConnectionsPart({ about }: { about: AboutJson }): VNode | null {
  const [found, setFound] = useState<readonly ConnectionJson[] | undefined>(undefined);
  const [beginning, setBeginning] = useState(false);
  const [ending, setEnding] = useState<ConnectionJson | undefined>(undefined);
  const [problem, setProblem] = useState('');
  const load = (): void =>
    void api<{ connections: ConnectionJson[] }>('api/connections').then(
      ({ connections }) => setFound(connections),
      (error: unknown) => setProblem(messageOf(error)),
    );
  useEffect(load, []);
  const can = about.logins !== null && about.logins.length > 0;
  const actions = can
    ? html`<button type="button" onClick=${() => setBeginning(true)}>Log in to a server…</button>`
    : null;
  const text = can
    ? 'Nobody has logged in to a server.'
    : 'No server asks people to log in. Servers over HTTP without credentials of their own do, where they want to know who calls.';
  return html`<${Part} id="connections" title="Connections" about="Who is logged in to which server. Tokens are kept encrypted and not shown." actions=${actions}>
    ${problem ? html`<${Note} tone="fault">${plain(problem)}<//>` : null}
    ${found?.length === 0 ? html`<${Empty}>${text}<//>` : null}
    ${
      found && found.length > 0
        ? html`<div class="scroll" tabindex="0" role="region" aria-label="Logins to servers"><table>
      <thead><tr><th scope="col">Server</th><th scope="col">Who</th><th scope="col">State</th><th scope="col">Since</th><th scope="col">Scopes</th><th scope="col">Issuer</th><th scope="col" class="does"><span class="unseen">Actions</span></th></tr></thead>
      <tbody>${found.slice(0, 500).map((each) => html`<${Row} key=${`${each.server} ${each.principal}`} connection=${each} onEnd=${() => setEnding(each)} />`)}</tbody></table></div>`
        : null
    }
    ${found && found.length > 500 ? html`<p class="quiet">${found.length - 500} more are not shown.</p>` : null}
    ${beginning ? html`<${BeginDialog} about=${about} onConnected=${load} onClose=${() => setBeginning(false)} />` : null}
    ${ending ? html`<${EndDialog} connection=${ending} onEnded=${load} onClose=${() => setEnding(undefined)} />` : null}
  <//>`;
}

/** As people say it: whose login it is. */
const whose = (principal: string): string =>
  principal === 'local' ? 'the local user' : principal === '(gateway)' ? 'everybody' : plain(principal);

function Row({ connection, onEnd }: { connection: ConnectionJson; onEnd: () => void }): VNode {
  const { server, principal, state, since, expiresAt, renewable, scopes, issuer } = connection;
  const left = state === 'connected' && expiresAt !== undefined && !renewable;
  return html`<tr><th scope="row"><${Name} of=${server} /></th><td><bdi>${whose(principal)}</bdi></td>
    <td><${Badge} of=${state} tone=${state === 'connected' ? 'good' : 'bad'} />${left ? html`<br /><span class="quiet">ends ${relative(expiresAt)}</span>` : null}</td>
    <td>${relative(since)}</td><td>${scopes.length === 0 ? html`<span class="quiet">none</span>` : plain(scopes.join(' '))}</td><td>${plain(issuer)}</td>
    <td class="does"><button type="button" class="small danger" onClick=${onEnd} aria-label=${`Revoke the login of ${whose(principal)} to ${plain(server)}`}>Revoke…</button></td></tr>`;
}

function BeginDialog({
  about,
  onConnected,
  onClose,
}: {
  about: AboutJson;
  onConnected: () => void;
  onClose: () => void;
}): VNode {
  const [page, setPage] = useState<PageJson | undefined>(undefined);
  const [state, setState] = useState('waiting');
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState('');
  useEffect(() => {
    if (!page) return;
    let timer = 0;
    let isOpen = true;
    const look = async (): Promise<void> => {
      const { state: now } = await api<{ state: string }>(`api/connections/pages/${page.id}`).catch(() => ({
        state: 'waiting',
      }));
      if (!isOpen) return;
      setState(now);
      if (now === 'connected') onConnected();
      else if (now === 'waiting') timer = window.setTimeout(look, LOOK_MS);
    };
    timer = window.setTimeout(look, LOOK_MS);
    return () => {
      isOpen = false;
      clearTimeout(timer);
    };
  }, [page]);
  const submit = async (event: SubmitEvent): Promise<void> => {
    event.preventDefault();
    const given = new FormData(event.target as HTMLFormElement);
    const grant = String(given.get('grant') ?? '');
    setBusy(true);
    setProblem('');
    try {
      setPage(
        await api<PageJson>('api/connections/connect', {
          server: String(given.get('server')),
          ...(grant === '' ? {} : { grant }),
        }),
      );
    } catch (error) {
      setProblem(messageOf(error));
    }
    setBusy(false);
  };
  if (page) {
    return html`<${Dialog} title=${html`Log in to <bdi>${plain(page.server)}</bdi>`} onClose=${onClose} kept=${true}>
      <p>It will be the login of <b><bdi>${whose(page.principal)}</bdi></b>. Open the page, type the code there, and log in. Both are for that person alone.</p>
      <p><a href=${page.url} target="_blank" rel="noreferrer">${page.url}</a></p>
      <${Copyable} text=${page.code} label="Code" />
      ${
        state === 'connected'
          ? html`<${Note} tone="good">Logged in.<//>`
          : state === 'closed'
            ? html`<${Note} tone="fault">The page has expired, or was closed after too many wrong codes.<//>`
            : html`<p class="quiet" role="status">Waiting for the login. The page expires ${relative(page.expiresAt)}.</p>`
      }
      <div class="actions"><button type="button" class=${state === 'waiting' ? '' : 'first'} onClick=${onClose}>Close</button></div>
    <//>`;
  }
  return html`<${Dialog} title="Log in to a server" onClose=${onClose}>
    <form onSubmit=${submit}>
      <label for="login-server">Server</label>
      <select id="login-server" name="server">${about.logins?.map((name) => html`<option key=${name} value=${name}>${plain(name)}</option>`)}</select>
      <label for="login-grant">For</label>
      <select id="login-grant" name="grant"><option value="">the local user</option>${about.grants.map((name) => html`<option key=${name} value=${name}>${plain(name)}</option>`)}</select>
      <p class="quiet">A server with one login for all is logged in to for everybody.</p>
      ${problem ? html`<${Note} tone="fault">${plain(problem)}<//>` : null}
      <div class="actions"><button class="first" disabled=${busy}>${busy ? 'Asking the server…' : 'Go on'}</button></div>
    </form>
  <//>`;
}

function EndDialog({
  connection: { server, principal },
  onEnded,
  onClose,
}: {
  connection: ConnectionJson;
  onEnded: () => void;
  onClose: () => void;
}): VNode {
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState('');
  const end = async (): Promise<void> => {
    setBusy(true);
    try {
      await api('api/connections/revoke', { server, principal });
      onEnded();
      onClose();
    } catch (error) {
      setProblem(messageOf(error));
      setBusy(false);
    }
  };
  return html`<${Dialog} title=${html`Revoke a login to <bdi>${plain(server)}</bdi>?`} onClose=${onClose}>
    <p><bdi>${whose(principal)}</bdi> cannot use it until the next login. The token is forgotten, and revoked at its issuer where that can be done.</p>
    ${problem ? html`<${Note} tone="fault">${plain(problem)}<//>` : null}
    <div class="actions"><button type="button" class="danger" disabled=${busy} onClick=${() => void end()}>Revoke</button>
      <button type="button" onClick=${onClose}>Keep it</button></div>
  <//>`;
}
