/** Servers: how each is, how its queue is used, why it cannot be used, and what can be done about it. */
import { signal } from '@preact/signals';
import type { VNode } from 'preact';
import { useState } from 'preact/hooks';
import type { Restarted, ServerInFull } from '../servers.ts';
import { api, messageOf } from './api.ts';
import { ElsewhereNote } from './elsewhere.ts';
import { replica, servers } from './live.ts';
import { EntryDialog } from './server-entry.ts';
import { Badge, Dialog, Empty, html, Name, Note, Page, plain, plural, relative } from './ui.ts';

const filter = signal('');
/** Rows that are shown at once; there may be thousands of servers. */
const SHOWN = 100;

export function ServersPage(): VNode {
  const [connecting, setConnecting] = useState(false);
  const [adding, setAdding] = useState(false);
  const [shown, setShown] = useState(SHOWN);
  const all = servers.value;
  const words = filter.value.toLowerCase();
  const found = all?.filter(({ name, kind, state }) => `${name} ${kind ?? ''} ${state}`.toLowerCase().includes(words));
  const ready = all?.filter(({ state }) => state === 'ready').length ?? 0;
  const here = replica.value;
  const of = here && here.of > 1 ? ` in replica ${here.id}, one of ${here.of}: connections and queues are its own` : '';
  const about = all === undefined ? 'Loading…' : `${ready} of ${plural(all.length, 'server')} ready${of}`;
  const actions = html`<button type="button" onClick=${() => setConnecting(true)}>Connect by URL…</button>
    <button type="button" onClick=${() => setAdding(true)}>Add to the file…</button>`;
  return html`<${Page} title="Servers" about=${about} actions=${actions}>
    ${
      all && all.length > 8
        ? html`<div class="filters"><label>Filter <input type="search" value=${filter.value}
          onInput=${(event: InputEvent) => {
            filter.value = (event.target as HTMLInputElement).value;
          }} /></label></div>`
        : null
    }
    ${
      found?.length === 0
        ? html`<${Empty}>${
            all?.length === 0
              ? 'No servers yet. Connect one by its URL, or add one to the configuration file.'
              : 'No server matches.'
          }<//>`
        : null
    }
    <ul class="cards">${found?.slice(0, shown).map((server) => html`<${Server} key=${server.name} server=${server} />`)}</ul>
    ${
      found && found.length > shown
        ? html`<button type="button" onClick=${() => setShown(shown + SHOWN)}>Show ${Math.min(SHOWN, found.length - shown)} more of ${found.length}</button>`
        : null
    }
    ${connecting ? html`<${ConnectDialog} onClose=${() => setConnecting(false)} />` : null}
    ${adding ? html`<${EntryDialog} onClose=${() => setAdding(false)} />` : null}
  <//>`;
}

function Server({ server }: { server: ServerInFull }): VNode {
  const [problem, setProblem] = useState('');
  const [busy, setBusy] = useState('');
  const [restarted, setRestarted] = useState<Partial<Restarted>>({});
  const [editing, setEditing] = useState(false);
  const {
    name,
    kind,
    state,
    transport,
    era,
    protocolVersion,
    counts,
    error,
    failure,
    queue,
    stale,
    origin,
    since,
    disabled,
    skipped,
    serverInfo,
    needsLogin,
  } = server;
  const act = (what: string) => async (): Promise<void> => {
    setBusy(what);
    setProblem('');
    setRestarted({});
    await api<Partial<Restarted>>(`api/servers/${encodeURIComponent(name)}/${what}`, {}).then(
      setRestarted,
      (failed: unknown) => setProblem(messageOf(failed)),
    );
    setBusy('');
  };
  const facts: [string, string | undefined][] = [
    ['Kind', kind],
    // Only MCP has eras; other servers may not say their version.
    kind === 'mcp'
      ? ['Era', era && `${era}${protocolVersion ? `, ${protocolVersion}` : ''}`]
      : ['Version', protocolVersion === 'unknown' ? undefined : protocolVersion],
    ['Transport', transport],
    ['Says it is', serverInfo && [serverInfo.title ?? serverInfo.name, serverInfo.version].filter(Boolean).join(' ')],
    ['Came from', origin === 'runtime' ? 'connected while running' : 'configuration'],
  ];
  const offers = (['tools', 'prompts', 'resources', 'templates', 'agents'] as const).filter((list) => counts[list] > 0);
  return html`<li class="card server" data-server=${name}>
    <header>
      <h2><${Name} of=${name} /></h2>
      <${Badge} of=${disabled ? 'disabled' : needsLogin ? 'login needed' : state} tone=${disabled ? 'none' : needsLogin ? 'wait' : undefined} />
      <span class="quiet">${stale ? 'last good lists are kept, ' : ''}since ${relative(since)}</span>
    </header>
    <dl class="facts">${facts.map(([term, value]) =>
      value ? html`<div key=${term}><dt>${term}</dt><dd>${plain(value)}</dd></div>` : null,
    )}</dl>
    <p class="offers">${offers.length === 0 ? 'Offers nothing yet.' : offers.map((list) => html`<span key=${list}><b>${counts[list].toLocaleString('en')}</b> ${list}</span>`)}</p>
    <${Queue} queue=${queue} />
    ${needsLogin ? html`<${Note} tone="warn"><p>It wants to know who calls, and nobody has logged in to it yet.</p><p><a href="#/access">Log in, under Connections</a></p><//>` : null}
    ${
      error && !needsLogin
        ? html`<${Note} tone="fault"><p>${plain(error)}</p>
      ${failure ? html`<p><b>Try:</b> ${plain(failure.try)}</p>` : null}
      ${failure?.stderr ? html`<details open><summary>What it wrote last</summary><pre tabindex="0">${plain(failure.stderr.join('\n'))}</pre></details>` : null}
      ${
        failure?.received
          ? html`<details><summary>What came back</summary><pre tabindex="0">${plain(
              `${failure.sent ?? ''}\n→ ${failure.received.status ?? ''} ${failure.received.type ?? ''}\n${failure.received.beginning}`,
            )}</pre></details>`
          : null
      }<//>`
        : null
    }
    ${
      skipped?.length
        ? html`<details><summary>${plural(skipped.length, 'entry')} left out</summary>
      <ul>${skipped.map((entry) => html`<li><${Name} of=${entry.name} />: ${plain(entry.reason)}</li>`)}</ul></details>`
        : null
    }
    ${problem ? html`<${Note} tone="fault">${problem}<//>` : null}
    ${restarted.left ? html`<${Note} tone="warn">It has not started here, so ${plural(restarted.left, 'other replica')} ${restarted.left === 1 ? 'was' : 'were'} left as ${restarted.left === 1 ? 'it is' : 'they are'}.<//>` : null}
    <${ElsewhereNote} of=${restarted.elsewhere} done=${(replicas: string) => `Started again in ${replicas} too.`}
      unlike=${({ state, error: why }: { state?: unknown; error?: unknown }) => (state === 'ready' ? undefined : `it is ${String(state)} there. ${String(why ?? '')}`)} />
    <div class="actions">
      ${
        disabled
          ? null
          : html`<button type="button" disabled=${busy !== ''} onClick=${act('restart')}
        aria-label=${`Restart ${name}`}>${busy === 'restart' ? 'Restarting…' : 'Restart'}</button>`
      }
      ${
        origin === 'runtime'
          ? html`<button type="button" disabled=${busy !== ''} onClick=${act('disconnect')} aria-label=${`Disconnect ${name}`}>Disconnect</button>`
          : html`<button type="button" onClick=${() => setEditing(true)} aria-label=${`Edit ${name}`}>Edit…</button>`
      }
    </div>
    ${editing ? html`<${EntryDialog} name=${name} onClose=${() => setEditing(false)} />` : null}
  </li>`;
}

function Queue({ queue }: { queue: ServerInFull['queue'] }): VNode {
  const { running, waiting, concurrency, maxQueue, byPrincipal } = queue;
  return html`<div class="queue">
    <meter min="0" max=${Math.max(1, concurrency)} value=${running} aria-label="Running calls"></meter>
    <span><b>${running}</b> of ${concurrency} running</span>
    <span class=${waiting > 0 ? 'hot' : ''}><b>${waiting}</b> of ${maxQueue} waiting</span>
    ${
      byPrincipal.length > 0
        ? html`<table><thead><tr><th scope="col">Caller</th><th scope="col">Running</th><th scope="col">Waiting</th></tr></thead>
        <tbody>${byPrincipal.slice(0, 20).map((each) => html`<tr key=${each.principal}><td><${Name} of=${each.principal} /></td><td>${each.running}</td><td>${each.waiting}</td></tr>`)}</tbody></table>`
        : null
    }
  </div>`;
}

function ConnectDialog({ onClose }: { onClose: () => void }): VNode {
  const [problem, setProblem] = useState('');
  const [busy, setBusy] = useState(false);
  const submit = async (event: SubmitEvent): Promise<void> => {
    event.preventDefault();
    const given = new FormData(event.target as HTMLFormElement);
    const text = (field: string): string => String(given.get(field) ?? '').trim();
    const body = {
      url: text('url'),
      ...(text('name') ? { name: text('name') } : {}),
      ...(text('kind') ? { kind: text('kind') } : {}),
    };
    setBusy(true);
    setProblem('');
    try {
      await api('api/connect', body);
      onClose();
    } catch (error) {
      setProblem(messageOf(error));
      setBusy(false);
    }
  };
  return html`<${Dialog} title="Connect a server" onClose=${onClose}>
    <form onSubmit=${submit}>
      <p>It joins now, and again after a restart. Policy and the network guard decide, as for a client that calls
        <code>connectServer</code>.</p>
      <label for="url">URL</label><input id="url" name="url" type="url" required placeholder="https://example.com/mcp" />
      <label for="name">Name <span class="quiet">(made from the URL when empty)</span></label><input id="name" name="name" />
      <label for="kind">Kind</label>
      <select id="kind" name="kind"><option value="">find out</option><option>mcp</option><option>mastra</option><option>langgraph</option><option>a2a</option><option>responses</option></select>
      ${problem ? html`<${Note} tone="fault">${plain(problem)}<//>` : null}
      <div class="actions"><button class="first" disabled=${busy}>${busy ? 'Connecting…' : 'Connect'}</button></div>
    </form>
  <//>`;
}
