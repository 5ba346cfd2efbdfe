/** Connect a client: what to paste into it, for all servers or for one. */
import type { VNode } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import type { AboutJson } from '../access.ts';
import { api, messageOf } from './api.ts';
import { endpoint } from './as-code.ts';
import { CLIENTS, type ClientForm, type Target } from './clients.ts';
import { Copyable, html, Note, Page, plain } from './ui.ts';

export function ConnectPage(): VNode {
  const [about, setAbout] = useState<AboutJson | undefined>(undefined);
  const [server, setServer] = useState('');
  const [chosen, setChosen] = useState(CLIENTS[0]?.id ?? '');
  const [logsIn, setLogsIn] = useState(false);
  const [problem, setProblem] = useState('');
  useEffect(() => {
    api<AboutJson>('api/about').then(
      (found) => {
        setAbout(found);
        setLogsIn(found.clientsLogIn);
      },
      (error: unknown) => setProblem(messageOf(error)),
    );
  }, []);
  const client = CLIENTS.find(({ id }) => id === chosen) ?? (CLIENTS[0] as ClientForm);
  const name = server === '' ? 'switchboard' : server.replace(/[^A-Za-z0-9_-]+/g, '-');
  const needsKey = about?.needsKey === true;
  const target: Target = { name, url: endpoint(server === '' ? undefined : server), key: needsKey && !logsIn };
  const note = client.note?.(target);
  return html`<${Page} title="Connect a client" about="Clients connect to the gateway once and reach every server they may.">
    ${problem ? html`<${Note} tone="fault">${plain(problem)}<//>` : null}
    <div class="filters">
      <label>What it reaches <select value=${server} onChange=${(event: Event) => setServer((event.target as HTMLSelectElement).value)}>
        <option value="">all servers</option>${about?.servers.map((each) => html`<option key=${each} value=${each}>${plain(each)} alone</option>`)}</select></label>
      <label>Client <select value=${chosen} onChange=${(event: Event) => setChosen((event.target as HTMLSelectElement).value)}>
        ${CLIENTS.map(({ id, label }) => html`<option key=${id} value=${id}>${label}</option>`)}</select></label>
      ${
        needsKey && about?.clientsLogIn
          ? html`<label>With <select value=${logsIn ? 'login' : 'key'} onChange=${(event: Event) => setLogsIn((event.target as HTMLSelectElement).value === 'login')}>
        <option value="login">a login</option><option value="key">a key</option></select></label>`
          : null
      }
    </div>
    <section class="card" aria-labelledby="client">
      <header><h2 id="client">${client.label}</h2><span class="quiet">${client.where}</span></header>
      <${Copyable} text=${client.text(target)} label=${`For ${client.label}`} />
      ${note ? html`<p class="quiet">${note}</p>` : null}
      <p class="quiet">${
        !needsKey
          ? 'This gateway asks for no key. Programs of this machine alone can reach it, unless it listens on a network.'
          : logsIn
            ? 'The client opens a browser for the login when it first connects.'
            : html`This gateway asks for a key. <a href="#/access">Policy and grants</a> makes one and shows it, once.`
      }</p>
      ${server === '' ? null : html`<p class="quiet">Names stand as the server has them there, without <code>${plain(server)}__</code> in front. Policy and the queue are the same.</p>`}
    </section>
    <section class="card" aria-labelledby="address"><header><h2 id="address">Any other client</h2></header>
      <p>Streamable HTTP, of every revision of MCP from 2025-03-26 to 2026-07-28:</p>
      <${Copyable} text=${target.url} label="Address" />
      ${target.key ? html`<p class="quiet">With the header <code>${'Authorization: Bearer <key>'}</code>.</p>` : null}
      <p class="quiet">For clients of the older transport, HTTP with SSE: <code>${target.url.replace(/mcp$/, 'sse')}</code></p></section>
  <//>`;
}
