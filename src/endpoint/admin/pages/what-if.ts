/** What a changed policy would have decided over the last calls. */
import type { VNode } from 'preact';
import { useState } from 'preact/hooks';
import type { AboutJson } from '../access.ts';
import { api, messageOf } from './api.ts';
import { calls } from './live.ts';
import { Badge, html, Name, Note, plain, plural } from './ui.ts';

interface Tried {
  judged: number;
  changed: {
    call: number;
    server?: string;
    name?: string;
    principal: string;
    before: string;
    after: string;
    reason: string;
  }[];
}

/** A document is changed here and tried on the calls that are recorded; nothing is written. */
export function WhatIf(): VNode {
  const [open, setOpen] = useState(false);
  const [place, setPlace] = useState('gateway');
  const [text, setText] = useState('');
  const [tried, setTried] = useState<Tried | undefined>(undefined);
  const [file, setFile] = useState<string | null>(null);
  const [grants, setGrants] = useState<readonly string[]>([]);
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState('');
  const failed = (error: unknown): void =>
    setProblem(error instanceof SyntaxError ? `This is not JSON: ${error.message}` : messageOf(error));
  const load = async (at: string): Promise<void> => {
    setPlace(at);
    setProblem('');
    setTried(undefined);
    await api<{ document: object | null; file: string | null }>(
      `api/policy/document?place=${encodeURIComponent(at)}`,
    ).then(({ document, file: own }) => {
      setFile(own);
      setText(JSON.stringify(document ?? { version: '1', default: 'allow', tools: {} }, null, 2));
    }, failed);
  };
  const judge = async (): Promise<void> => {
    setProblem('');
    setTried(undefined);
    setBusy(true);
    try {
      setTried(await api<Tried>('api/policy/try', { place, document: JSON.parse(text) as unknown }));
    } catch (error) {
      failed(error);
    }
    setBusy(false);
  };
  if (!open) {
    return html`<p><button type="button" onClick=${() => {
      setOpen(true);
      void load('gateway');
      void api<AboutJson>('api/about').then((about) => setGrants(about.grants), failed);
    }}>What would another policy have decided?</button></p>`;
  }
  const names = [...new Set(calls.value.flatMap(({ server }) => (server ? [server] : [])))].sort();
  return html`<section class="card" aria-labelledby="what-if"><header><h2 id="what-if">What would another policy have decided?</h2></header>
    <p class="quiet">Change a document and have the recorded calls judged by it. Nothing is written, counted or sent.</p>
    <label for="place">Document</label>
    <select id="place" value=${place} onChange=${(event: Event) => void load((event.target as HTMLSelectElement).value)}>
      <option value="gateway">of the gateway</option><option value="default">default of grants</option>
      ${grants.map((name) => html`<option key=${name} value=${`grant:${name}`}>of the grant ${plain(name)}</option>`)}
      ${names.map((name) => html`<option key=${name} value=${`server:${name}`}>of the server ${plain(name)}</option>`)}</select>
    ${file ? html`<p class="quiet">It is in the file <code>${plain(file)}</code>.</p>` : null}
    <label for="document">As it would be</label>
    <textarea id="document" rows="10" spellcheck=${false} value=${text} onInput=${(event: Event) => setText((event.target as HTMLTextAreaElement).value)}></textarea>
    ${problem ? html`<${Note} tone="fault">${plain(problem)}<//>` : null}
    <div class="actions"><button type="button" class="first" disabled=${busy} onClick=${() => void judge()}>${busy ? 'Judging…' : 'Judge the recorded calls'}</button></div>
    ${
      tried
        ? html`<p role="status">${plural(tried.judged, 'call')} judged; ${tried.changed.length === 0 ? 'none would have been decided differently.' : `${tried.changed.length} would have been decided differently:`}</p>
      ${
        tried.changed.length > 0
          ? html`<div class="scroll"><table><thead><tr><th scope="col">Caller</th><th scope="col">Server</th><th scope="col">What</th><th scope="col">Now</th><th scope="col">Then</th><th scope="col">Because</th></tr></thead>
      <tbody>${tried.changed.map((each) => html`<tr key=${each.call}><td><${Name} of=${each.principal} /></td><td><${Name} of=${each.server ?? ''} /></td><td><${Name} of=${each.name ?? ''} /></td><td><${Badge} of=${each.before} /></td><td><${Badge} of=${each.after} /></td><td>${plain(each.reason)}</td></tr>`)}</tbody></table></div>`
          : null
      }`
        : null
    }
  </section>`;
}
