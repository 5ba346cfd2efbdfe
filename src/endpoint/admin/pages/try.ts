/** Try it: any tool, prompt, resource or agent is looked for here and then run in `trial.ts`. */
import type { VNode } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import type { AboutJson } from '../access.ts';
import type { ListedEntryJson } from '../entries.ts';
import { api, messageOf } from './api.ts';
import { type Kind, Trial, type WholeEntry } from './trial.ts';
import { Empty, html, Name, Note, Page, plain } from './ui.ts';

const KINDS: Readonly<Record<Kind, string>> = {
  tools: 'Tools',
  prompts: 'Prompts',
  resources: 'Resources',
  templates: 'Resource templates',
  agents: 'Agents',
};

interface Found {
  total: number;
  entries: ListedEntryJson[];
}

const query = (given: Record<string, string | number>): string =>
  new URLSearchParams(Object.entries(given).map(([key, value]) => [key, String(value)])).toString();

/** The address of this page with something chosen. */
export const tryAddress = (kind: Kind, name: string, as = ''): string => `#/try?${query({ kind, name, as })}`;

/** What the address names. */
function asked(): { kind: Kind; name: string; as: string } {
  const given = new URLSearchParams(location.hash.split('?')[1] ?? '');
  const kind = given.get('kind') ?? '';
  return {
    kind: Object.hasOwn(KINDS, kind) ? (kind as Kind) : 'tools',
    name: given.get('name') ?? '',
    as: given.get('as') ?? '',
  };
}

const SEARCH_MS = 120;

export function TryPage(): VNode {
  const [first] = useState(asked);
  const [kind, setKind] = useState<Kind>(first.kind);
  const [typed, setTyped] = useState('');
  const [search, setSearch] = useState('');
  const [server, setServer] = useState('');
  const [as, setAs] = useState(first.as);
  const [about, setAbout] = useState<AboutJson | undefined>(undefined);
  const [found, setFound] = useState<Found | undefined>(undefined);
  const [chosen, setChosen] = useState<WholeEntry | undefined>(undefined);
  const [problem, setProblem] = useState('');
  const failed = (error: unknown): void => setProblem(messageOf(error));

  useEffect(() => {
    api<AboutJson>('api/about').then(setAbout, failed);
    if (first.name !== '') choose(first.name);
  }, []);
  useEffect(() => {
    const timer = setTimeout(() => setSearch(typed), SEARCH_MS);
    return () => clearTimeout(timer);
  }, [typed]);
  useEffect(() => {
    let isCurrent = true;
    setProblem('');
    api<Found>(`api/entries?${query({ kind, search, server, as })}`).then(
      (reply) => isCurrent && setFound(reply),
      (error: unknown) => isCurrent && failed(error),
    );
    return () => {
      isCurrent = false;
    };
  }, [kind, search, server, as]);

  const more = async (): Promise<void> => {
    const offset = found?.entries.length ?? 0;
    await api<Found>(`api/entries?${query({ kind, search, server, as, offset })}`).then(
      (next) => setFound({ total: next.total, entries: [...(found?.entries ?? []), ...next.entries] }),
      failed,
    );
  };
  function choose(name: string): void {
    setProblem('');
    api<{ entry: WholeEntry }>(`api/entry?${query({ kind, name, as })}`).then(({ entry }) => setChosen(entry), failed);
  }
  const select =
    (set: (value: never) => void) =>
    (event: Event): void => {
      setChosen(undefined);
      set((event.target as HTMLSelectElement).value as never);
    };
  const servers = about?.servers ?? [];
  return html`<${Page} title="Try it" about="A request goes through policy and the queue like any client's, and it really runs.">
    <div class="filters" role="search">
      <label>Kind <select value=${kind} onChange=${select(setKind)}>
        ${Object.entries(KINDS).map(([each, title]) => html`<option key=${each} value=${each}>${title}</option>`)}</select></label>
      <label>Server <select value=${server} onChange=${select(setServer)}>
        <option value="">any</option>${servers.map((name) => html`<option key=${name} value=${name}>${plain(name)}</option>`)}</select></label>
      <label>As <select value=${as} onChange=${select(setAs)}>
        <option value="">the local user</option>${about?.grants.map((name) => html`<option key=${name} value=${name}>${plain(name)}</option>`)}</select></label>
      <label>Search <input type="search" value=${typed} onInput=${(event: Event) => setTyped((event.target as HTMLInputElement).value)} /></label>
      <span class="quiet" role="status">${found ? `${found.total.toLocaleString('en')} found` : ''}</span>
    </div>
    ${problem ? html`<${Note} tone="fault">${plain(problem)}<//>` : null}
    <div class="split">
      <div>
        ${found?.total === 0 ? html`<${Empty}>Nothing matches.<//>` : null}
        ${
          found && found.total > 0
            ? html`<ul class="list" aria-label=${KINDS[kind]}>${found.entries.map(
                (
                  entry,
                ) => html`<li key=${entry.name}><button type="button" aria-pressed=${chosen?.name === entry.name} onClick=${() => choose(entry.name)}>
          <${Name} of=${entry.name} /><small>${plain(entry.title ?? entry.summary)}</small></button></li>`,
              )}
          ${found.entries.length < found.total ? html`<li><button type="button" class="more" onClick=${() => void more()}>Show more of ${found.total.toLocaleString('en')}</button></li>` : null}</ul>`
            : null
        }
      </div>
      ${chosen ? html`<${Trial} key=${`${chosen.kind} ${chosen.name} ${as}`} entry=${chosen} as=${as} needsKey=${about?.needsKey === true} />` : html`<${Empty}>Choose what to try.<//>`}
    </div>
  <//>`;
}
