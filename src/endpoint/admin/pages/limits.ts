/** Limits in use: what is counted of each, against what is allowed, and when it counts no more. */
import type { VNode } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import type { LimitJson, LimitsJson } from '../access.ts';
import { api, messageOf } from './api.ts';
import { Badge, Empty, html, Name, Note, Part, plain, plural, relative } from './ui.ts';

/** Counters change with calls, and are read again this often. */
const READ_MS = 3_000;

export function LimitsPart(): VNode {
  const [found, setFound] = useState<LimitsJson | undefined>(undefined);
  const [problem, setProblem] = useState('');
  useEffect(() => {
    let timer = 0;
    let isOpen = true;
    const read = async (): Promise<void> => {
      await api<LimitsJson>('api/limits').then(
        (reply) => {
          setFound(reply);
          setProblem('');
        },
        (error: unknown) => setProblem(messageOf(error)),
      );
      if (isOpen) timer = window.setTimeout(read, READ_MS);
    };
    void read();
    return () => {
      isOpen = false;
      clearTimeout(timer);
    };
  }, []);
  return html`<${Part} id="limits" title="Limits in use" about="What calls have used of each limit, the fullest first.">
    ${problem ? html`<${Note} tone="fault">${plain(problem)}<//>` : null}
    ${found?.total === 0 ? html`<${Empty}>No policy sets a limit.<//>` : null}
    ${
      found && found.total > 0
        ? html`<div class="scroll" tabindex="0" role="region" aria-label="Limits and counters"><table>
      <thead><tr><th scope="col">Limit</th><th scope="col">Window</th><th scope="col">Of</th><th scope="col">Used</th><th scope="col">Resets</th></tr></thead>
      <tbody>${found.limits.flatMap((limit) => rowsOf(limit))}</tbody></table></div>`
        : null
    }
    ${found && found.total > found.limits.length ? html`<p class="quiet">${found.total - found.limits.length} more limits are not shown.</p>` : null}
    ${found?.isWhole === false ? html`<p class="quiet">There are more counters than are looked at here.</p>` : null}
  <//>`;
}

const OWNERS: Readonly<Record<LimitJson['scope'], string>> = {
  grant: 'each grant',
  session: 'each session',
  server: 'each server',
  global: 'everybody together',
};

function rowsOf(limit: LimitJson): VNode[] {
  const { policy, mode, rules, counter, scope, window, sliding, max, counts, moreCounts } = limit;
  const key = `${policy} ${scope} ${counter} ${window} ${max}`;
  const [first = '', ...others] = rules;
  const rows = Math.max(1, counts.length) + (moreCounts > 0 ? 1 : 0);
  const about = html`<th scope="rowgroup" rowspan=${rows}><${Name} of=${counter} />${mode === 'shadow' ? html` <${Badge} of="shadow" />` : null}
      <small><code>${plain(first)}</code> of ${plain(policy)}${others.length > 0 ? `, and ${plural(others.length, 'more rule')}` : ''}</small></th>
    <td rowspan=${rows}>${max.toLocaleString('en')} per ${plain(window)}${sliding ? ', sliding' : ''}</td>`;
  if (counts.length === 0) {
    const why = scope === 'session' ? 'Counted for each session; sessions are not listed.' : 'nothing yet';
    return [
      html`<tr key=${key}>${about}<td class="quiet">${OWNERS[scope]}</td><td class="quiet" colspan="2">${why}</td></tr>`,
    ];
  }
  const counted = counts.map(
    ({ owner, used, resets }, index) => html`<tr key=${`${key} ${owner ?? ''}`}>${index === 0 ? about : null}
      <td>${owner === null ? 'everybody' : owner === 'local' ? 'the local user' : html`<${Name} of=${owner} />`}</td>
      <td><${Used} used=${used} max=${max} of=${`${counter} of ${owner ?? 'everybody'}`} /></td>
      <td>${relative(resets)}</td></tr>`,
  );
  const more = html`<tr key=${`${key} more`}><td class="quiet" colspan="3">and ${moreCounts} more</td></tr>`;
  return moreCounts > 0 ? [...counted, more] : counted;
}

const Used = ({ used, max, of }: { used: number; max: number; of: string }): VNode =>
  html`<span class="used"><meter min="0" max=${Math.max(max, 1)} low=${max * 0.8} high=${max * 0.999} optimum="0" value=${used}
    aria-label=${`Used: ${plain(of)}`}></meter> <span>${used.toLocaleString('en')} of ${max.toLocaleString('en')}</span></span>`;
