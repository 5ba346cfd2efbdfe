/** Definitions: how servers describe themselves now, against what was accepted; accepted one by one. */
import type { VNode } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import type { DefinitionChange, Definitions } from '../definitions.ts';
import { api, messageOf } from './api.ts';
import { ElsewhereNote } from './elsewhere.ts';
import { Badge, Diff, Empty, html, Name, Note, Page, plain, plural } from './ui.ts';

const MODES: Readonly<Record<string, string>> = {
  off: 'Nothing is compared while clients call: gateway.lock is off. This page compares all the same.',
  warn: 'A definition that differs is reported in the log and stays usable (gateway.lock is "warn").',
  deny: 'A definition that differs is hidden until it is accepted (gateway.lock is "deny").',
};
/** Differences at once. */
const SHOWN = 50;

export function DefinitionsPage(): VNode {
  const [found, setFound] = useState<Definitions | undefined>(undefined);
  const [problem, setProblem] = useState('');
  const [shown, setShown] = useState(SHOWN);
  const failed = (error: unknown): void => setProblem(messageOf(error));
  const load = (): void => void api<Definitions>('api/definitions').then(setFound, failed);
  useEffect(load, []);
  const accept = (body: object) => (): void => {
    setProblem('');
    api<Definitions>('api/definitions/accept', body).then(setFound, (error: unknown) => {
      failed(error);
      load();
    });
  };
  const servers = [...new Set(found?.changes.map(({ server }) => server))];
  const about = found ? (MODES[found.mode] ?? '') : 'Loading…';
  return html`<${Page} title="Definitions" about=${about} actions=${html`<button type="button" onClick=${load}>Compare again</button>`}>
    ${problem ? html`<${Note} tone="fault">${plain(problem)}<//>` : null}
    <${ElsewhereNote} of=${found?.elsewhere} done=${(replicas: string) => `Accepted in ${replicas} too.`} />
    ${found && !found.exists ? html`<${Note}>There is no lock file yet. What you accept is written to <code>${found.file ?? 'nowhere'}</code>.<//><p></p>` : null}
    ${found?.away.length ? html`<${Note}>Not compared, because not ready: ${found.away.map((name) => html`<${Name} key=${name} of=${name} /> `)}<//><p></p>` : null}
    ${found?.total === 0 ? html`<${Empty}>Every server says what was accepted.<//>` : null}
    ${found && found.total > found.changes.length ? html`<${Note}>${found.total.toLocaleString('en')} differences in all, of which the first ${found.changes.length} are shown.<//><p></p>` : null}
    ${servers.map((server) => {
      const changes = found?.changes.filter((change) => change.server === server) ?? [];
      return html`<section key=${server} class="card" aria-label=${`Differences of ${plain(server)}`}>
        <header><h2><${Name} of=${server} /></h2><span class="quiet">${plural(changes.length, 'difference')}</span>
          <button type="button" onClick=${accept({ server })} aria-label=${`Accept all of ${server}`}>Accept all</button></header>
        <ul class="list">${changes.slice(0, shown).map((change) => html`<${Change} key=${`${change.kind} ${change.key}`} change=${change} onAccept=${accept({ server, kind: change.kind, key: change.key, hash: change.hash })} />`)}</ul>
        ${changes.length > shown ? html`<p><button type="button" onClick=${() => setShown(shown + SHOWN)}>Show more of ${changes.length}</button></p>` : null}
      </section>`;
    })}
  <//>`;
}

const TONES = { added: 'wait', changed: 'bad', removed: 'none' } as const;

function Change({ change, onAccept }: { change: DefinitionChange; onAccept: () => void }): VNode {
  const { kind, key, change: what, diff } = change;
  const name = kind === 'instructions' ? 'instructions' : key;
  const lines = diff.map((line) => ({
    kind: line.startsWith('-') ? 'removed' : line.startsWith('+') ? 'added' : 'same',
    text: line.slice(2),
  }));
  return html`<li class="change"><div class="actions"><${Badge} of=${what} tone=${TONES[what]} /><${Name} of=${name} /><span class="quiet">${kind}</span>
    <button type="button" onClick=${onAccept} aria-label=${`Accept ${plain(name)}`}>Accept</button></div>
    ${lines.length > 0 ? html`<${Diff} lines=${lines} />` : null}</li>`;
}
