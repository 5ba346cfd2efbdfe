/** Policy and grants: keys, who sees what as a matrix, limits in use, and who is logged in where. */
import type { VNode } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import type { AboutJson, AccessJson } from '../access.ts';
import type { ListedEntryJson } from '../entries.ts';
import { api, messageOf } from './api.ts';
import { ConnectionsPart } from './connections.ts';
import { GrantsPart } from './grants.ts';
import { LimitsPart } from './limits.ts';
import { Dialog, Empty, html, Name, Note, Page, Part, plain, relative } from './ui.ts';

/** Rows at once. */
const SHOWN = 200;

interface Cell {
  server: string;
  as: string;
}

export function AccessPage(): VNode {
  const [about, setAbout] = useState<AboutJson | undefined>(undefined);
  const [found, setFound] = useState<AccessJson | undefined>(undefined);
  const [problem, setProblem] = useState('');
  const load = (): void => {
    const failed = (error: unknown): void => setProblem(messageOf(error));
    api<AccessJson>('api/access').then(setFound, failed);
    api<AboutJson>('api/about').then(setAbout, failed);
  };
  useEffect(load, []);
  return html`<${Page} title="Policy and grants" about="Who may reach what, with which key, and how much of it.">
    ${problem ? html`<${Note} tone="fault">${plain(problem)}<//>` : null}
    <${GrantsPart} onChanged=${load} />
    ${found ? html`<${MatrixPart} found=${found} />` : null}
    <${LimitsPart} />
    ${about ? html`<${ConnectionsPart} about=${about} />` : null}
  <//>`;
}

function MatrixPart({ found }: { found: AccessJson }): VNode {
  const [open, setOpen] = useState<Cell | undefined>(undefined);
  const [shown, setShown] = useState(SHOWN);
  const rows = found.rows.filter(({ tools }) => tools > 0);
  return html`<${Part} id="access" title="Who sees what" about="How many tools of each server each grant can see. What is not seen cannot be called, and does not exist for it.">
    ${
      rows.length === 0
        ? html`<${Empty}>No server lists tools yet.<//>`
        : html`<div class="scroll" tabindex="0" role="region" aria-label="Tools that each grant sees"><table class="matrix">
        <thead><tr><th scope="col">Server</th><th scope="col" class="number">Tools</th>${found.principals.map(
          ({ name, expires }) => html`<th key=${name ?? ''} scope="col" class="number">
          ${name === null ? 'local user' : html`<${Name} of=${name} />`}${expires ? html`<br /><span class="quiet">ends ${relative(expires)}</span>` : null}</th>`,
        )}</tr></thead>
        <tbody>${rows.slice(0, shown).map(
          ({
            server,
            tools,
            seen,
          }) => html`<tr key=${server}><th scope="row"><${Name} of=${server} /></th><td class="number">${tools.toLocaleString('en')}</td>
          ${seen.map((count, index) => {
            const name = found.principals[index]?.name ?? null;
            const label = `${count === tools ? 'all' : count} of ${tools} tools of ${plain(server)} for ${name === null ? 'the local user' : plain(name)}`;
            return html`<td key=${index} class="number">${count === 0 ? html`<span class="quiet">none</span>` : html`<button type="button" class="link" aria-label=${label} onClick=${() => setOpen({ server, as: name ?? '' })}>${count === tools ? 'all' : count.toLocaleString('en')}</button>`}</td>`;
          })}</tr>`,
        )}</tbody></table></div>`
    }
    ${rows.length > shown ? html`<p><button type="button" onClick=${() => setShown(shown + SHOWN)}>Show more of ${rows.length}</button></p>` : null}
    ${found.moreGrants ? html`<p class="quiet">${found.moreGrants} more grants are not shown.</p>` : null}
    ${open ? html`<${CellDialog} ...${open} onClose=${() => setOpen(undefined)} />` : null}
  <//>`;
}

function CellDialog({ server, as, onClose }: Cell & { onClose: () => void }): VNode {
  const [found, setFound] = useState<{ total: number; entries: ListedEntryJson[] } | undefined>(undefined);
  useEffect(() => {
    const query = new URLSearchParams({ kind: 'tools', server, as });
    api<{ total: number; entries: ListedEntryJson[] }>(`api/entries?${query}`).then(setFound, () => {});
  }, [server, as]);
  return html`<${Dialog} title=${html`Tools of <bdi>${plain(server)}</bdi> for <bdi>${as === '' ? 'the local user' : plain(as)}</bdi>`} onClose=${onClose}>
    <ul>${found?.entries.map((entry) => html`<li key=${entry.name}><${Name} of=${entry.name} /></li>`)}</ul>
    ${found && found.total > found.entries.length ? html`<p class="quiet">and ${found.total - found.entries.length} more</p>` : null}
  <//>`;
}
