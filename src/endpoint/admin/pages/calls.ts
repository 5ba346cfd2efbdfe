/** Calls as they happen: filtered, one of them with its timeline, what policy says of it, and the same call again. */
import { signal } from '@preact/signals';
import type { VNode } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import type { RecordedCall } from '../../../observe/recorder.ts';
import type { ExplanationJson } from '../calls.ts';
import type { CallJson } from '../shared-calls.ts';
import { api, messageOf } from './api.ts';
import { calls, replica, valuesUntil } from './live.ts';
import { Badge, clock, Dialog, Empty, html, ms, Name, Note, Page, plain, plural } from './ui.ts';
import { WhatIf } from './what-if.ts';

const words = signal('');
const outcome = signal('');
const decision = signal('');
const paused = signal<readonly CallJson[] | undefined>(undefined);
/** Rows at once: a thousand are in memory. */
const SHOWN = 100;

const matches = (call: CallJson): boolean => {
  if (
    outcome.value !== '' &&
    (outcome.value === 'failed' ? ['ok', 'running', 'pending'].includes(call.outcome) : call.outcome !== outcome.value)
  )
    return false;
  if (decision.value !== '' && (call.decision ?? '') !== decision.value) return false;
  const text =
    `${call.server ?? ''} ${call.name ?? ''} ${call.method} ${call.principal} ${call.errorCode ?? ''} ${call.replica}`.toLowerCase();
  return words.value
    .toLowerCase()
    .split(/\s+/)
    .every((word) => text.includes(word));
};

export function CallsPage(): VNode {
  const [shown, setShown] = useState(SHOWN);
  const [open, setOpen] = useState<string | undefined>(undefined);
  const all = paused.value ?? calls.value;
  const found = all.filter(matches);
  const set =
    (to: typeof words) =>
    (event: Event): void => {
      to.value = (event.target as HTMLInputElement).value;
    };
  const actions = html`<button type="button" aria-pressed=${paused.value !== undefined}
      onClick=${() => {
        paused.value = paused.value ? undefined : calls.value;
      }}>${paused.value ? 'Go on' : 'Pause'}</button>
    <${Recording} />`;
  const about = 'Calls as they happen, since these pages were first opened. Nothing is recorded while nobody looks.';
  return html`<${Page} title="Calls" about=${about} actions=${actions}>
    <div class="filters" role="search">
      <label>Search <input type="search" value=${words.value} onInput=${set(words)} placeholder="server, tool, caller…" /></label>
      <label>Outcome <select value=${outcome.value} onChange=${set(outcome)}>
        <option value="">any</option><option value="running">running</option><option value="ok">ok</option><option value="failed">failed</option><option value="denied">denied</option><option value="pending">pending</option><option value="timeout">timeout</option></select></label>
      <label>Decision <select value=${decision.value} onChange=${set(decision)}>
        <option value="">any</option><option>allow</option><option>deny</option><option>approve</option><option>shadow</option></select></label>
      <span class="quiet" role="status">${plural(found.length, 'call')}</span>
    </div>
    ${
      found.length === 0
        ? html`<${Empty}>${all.length === 0 ? 'No calls yet. They appear here as clients make them.' : 'No call matches.'}<//>`
        : html`<div class="scroll" tabindex="0" role="region" aria-label="Calls"><table>
      <thead><tr><th scope="col">Time</th><th scope="col">Caller</th><th scope="col">Server</th><th scope="col">What</th><th scope="col">Decision</th><th scope="col">Outcome</th><th scope="col" class="number">Queue</th><th scope="col" class="number">Took</th></tr></thead>
      <tbody>${found.slice(0, shown).map((call) => html`<${Row} key=${call.id} call=${call} selected=${open === call.id} onOpen=${() => setOpen(call.id)} />`)}</tbody>
    </table></div>`
    }
    ${found.length > shown ? html`<p><button type="button" onClick=${() => setShown(shown + SHOWN)}>Show more</button></p>` : null}
    <${WhatIf} />
    ${open === undefined ? null : html`<${CallDialog} id=${open} onClose=${() => setOpen(undefined)} />`}
  <//>`;
}

function Row({ call, selected, onOpen }: { call: CallJson; selected: boolean; onOpen: () => void }): VNode {
  return html`<tr class=${selected ? 'selected' : ''}>
    <td class="time">${clock(call.at)}</td>
    <td><${Name} of=${call.principal} /></td>
    <td>${call.server ? html`<${Name} of=${call.server} />` : ''}</td>
    <td><button type="button" class="link" onClick=${onOpen}>${call.name ? html`<${Name} of=${call.name} />` : call.method}</button></td>
    <td>${call.decision ? html`<${Badge} of=${call.decision} />` : ''}</td>
    <td><${Badge} of=${call.outcome} />${call.errorCode === undefined ? '' : html` <code>${call.errorCode}</code>`}</td>
    <td class="number">${call.queueMs >= 1 ? ms(call.queueMs) : ''}</td>
    <td class="number">${ms(call.durationMs)}</td>
  </tr>`;
}

function Recording(): VNode {
  const [problem, setProblem] = useState('');
  const record = (minutes: number) => async (): Promise<void> => {
    await api<{ valuesUntil?: number }>('api/recording', { minutes }).then(
      (reply) => {
        valuesUntil.value = reply.valuesUntil;
      },
      (error: unknown) => setProblem(messageOf(error)),
    );
  };
  const until = valuesUntil.value;
  return until === undefined
    ? html`<button type="button" onClick=${record(15)}>Record arguments for 15 minutes</button>${problem}`
    : html`<span class="quiet">Arguments are recorded until ${clock(new Date(until).toISOString())}</span>
      <button type="button" class="danger" onClick=${record(0)}>Stop and forget</button>`;
}

function CallDialog({ id, onClose }: { id: string; onClose: () => void }): VNode {
  const [found, setFound] = useState<{ call: RecordedCall; canRepeat: boolean } | undefined>(undefined);
  const [explained, setExplained] = useState<{ explanation: ExplanationJson; withArguments: boolean } | undefined>(
    undefined,
  );
  const [again, setAgain] = useState<{ result?: unknown; error?: unknown } | undefined>(undefined);
  const [sure, setSure] = useState(false);
  const [problem, setProblem] = useState('');
  const version = calls.value.find((call) => call.id === id)?.version;
  const failed = (error: unknown): void => setProblem(messageOf(error));
  useEffect(() => {
    api<{ call: RecordedCall; canRepeat: boolean }>(`api/calls/${id}`).then(setFound, failed);
  }, [id, version]);
  const call = found?.call;
  const facts: [string, string | undefined][] = call
    ? [
        ['Caller', call.principal],
        ['Method', call.method],
        ['Era', call.era],
        ['Endpoint', call.endpoint ?? 'all servers'],
        ['Replica', (replica.value?.of ?? 1) > 1 ? id.split('.')[0] : undefined],
        [
          'Decision',
          call.decision && `${call.decision}${call.rule ? `, by ${call.rule} of ${call.policy ?? ''}` : ''}`,
        ],
        ['Would be denied by', call.shadow?.join(', ')],
      ]
    : [];
  return html`<${Dialog} title=${call ? html`<bdi>${plain(call.name ?? call.method)}</bdi>` : 'Call'} wide=${true} onClose=${onClose}>
    ${problem ? html`<${Note} tone="fault">${plain(problem)}<//>` : null}
    ${
      call
        ? html`
      <p><${Badge} of=${call.outcome} /> ${call.errorCode === undefined ? '' : html`<code>${call.errorCode}</code>`}
        ${call.server ? html` at <${Name} of=${call.server} />` : ''} ${ms(call.durationMs)}</p>
      <dl class="facts">${facts.map(([term, value]) => (value ? html`<div key=${term}><dt>${term}</dt><dd>${plain(value)}</dd></div>` : null))}</dl>
      <h3>Timeline</h3>
      <ol class="timeline">${call.steps.map((step) => html`<li><span>${ms(step.ms) || '0 ms'}</span><span>${plain(step.detail)}</span></li>`)}</ol>
      <h3>Arguments</h3>
      ${
        call.shownArguments === undefined
          ? html`<p class="quiet">They were not recorded.</p>`
          : html`<pre tabindex="0" aria-label="Arguments">${plain(call.shownArguments)}</pre>`
      }
      <div class="actions">
        <button type="button" onClick=${() => api<{ explanation: ExplanationJson; withArguments: boolean }>(`api/calls/${id}/explain`, {}).then(setExplained, failed)}>What policy says</button>
        ${
          found?.canRepeat
            ? sure
              ? html`<button type="button" class="danger" onClick=${() => {
                  setSure(false);
                  api<{ result?: unknown; error?: unknown }>(`api/calls/${id}/repeat`, {}).then(setAgain, failed);
                }}>It really runs: call it again</button>`
              : html`<button type="button" onClick=${() => setSure(true)}>Call again…</button>`
            : null
        }
      </div>
      ${explained ? html`<${Explained} ...${explained} />` : null}
      ${again ? html`<h3>The call that was made again</h3><pre tabindex="0" aria-label="Result">${plain(JSON.stringify(again.error ?? again.result, null, 2))}</pre>` : null}`
        : null
    }
  <//>`;
}

function Explained({ explanation, withArguments }: { explanation: ExplanationJson; withArguments: boolean }): VNode {
  const { verdict, rules } = explanation;
  return html`<section aria-label="What policy says now"><h3>What policy says now</h3>
    <p><${Badge} of=${verdict.effect} /> ${plain(verdict.reason)} ${verdict.policy ? html`<span class="quiet">(${plain(verdict.rule)} of ${plain(verdict.policy)})</span>` : null}</p>
    ${withArguments ? null : html`<p class="quiet">Its arguments were not recorded: rules that read them are judged without.</p>`}
    ${
      rules.length > 0
        ? html`<div class="scroll"><table><thead><tr><th scope="col">Document</th><th scope="col">Rule</th><th scope="col">Outcome</th><th scope="col">Because</th></tr></thead>
      <tbody>${rules.slice(0, 100).map((rule) => html`<tr><td>${plain(rule.policy)}</td><td><code>${plain(rule.rule)}</code></td><td>${rule.outcome}</td><td>${plain(rule.detail)}</td></tr>`)}</tbody></table></div>`
        : null
    }
  </section>`;
}
