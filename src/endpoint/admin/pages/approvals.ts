/** Approvals: calls that wait for a person, with what they want to do and why they were stopped. */
import type { VNode } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import type { ApprovalJson } from '../approvals.ts';
import { api, messageOf } from './api.ts';
import { readApprovals, type Waiting, waiting } from './live.ts';
import { Badge, Empty, html, Name, Note, Page, plain, plural, relative } from './ui.ts';

export function ApprovalsPage(): VNode {
  const [decided, setDecided] = useState<readonly Waiting[]>([]);
  const open = waiting.value;
  useEffect(() => {
    api<{ approvals: Waiting[] }>('approvals').then(
      ({ approvals }) => setDecided(approvals.filter(({ state }) => state !== 'pending').reverse()),
      () => {},
    );
  }, [open]);
  const about =
    open.length === 0
      ? 'Nothing waits for you.'
      : `${plural(open.length, 'call')} ${open.length === 1 ? 'waits' : 'wait'} for a person.`;
  return html`<${Page} title="Approvals" about=${about}>
    ${open.length === 0 ? html`<${Empty}>When a policy asks for a person, the call appears here.<//>` : null}
    <ul class="cards">${open.map((approval) => html`<${Approval} key=${approval.id} listed=${approval} />`)}</ul>
    ${
      decided.length > 0
        ? html`<h2>Decided lately</h2><br /><div class="scroll" tabindex="0" role="region" aria-label="Decided lately"><table>
      <thead><tr><th scope="col">State</th><th scope="col">Server</th><th scope="col">What</th><th scope="col">Caller</th><th scope="col">By</th><th scope="col">Note</th></tr></thead>
      <tbody>${decided.slice(0, 50).map((each) => html`<tr key=${each.id}><td><${Badge} of=${each.state} /></td><td><${Name} of=${each.server} /></td><td><${Name} of=${each.name} /></td><td><${Name} of=${each.principal} /></td><td>${plain(each.by ?? '')}</td><td>${plain(each.note ?? '')}</td></tr>`)}</tbody>
    </table></div>`
        : null
    }
  <//>`;
}

function Approval({ listed }: { listed: Waiting }): VNode {
  const { id, server, name, principal, reason, rule, policy, createdAt, expiresAt } = listed;
  const [full, setFull] = useState<ApprovalJson | undefined>(undefined);
  const [note, setNote] = useState('');
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState('');
  useEffect(() => {
    api<{ approval: ApprovalJson }>(`approvals/${id}`).then(
      ({ approval }) => setFull(approval),
      () => {},
    );
  }, [id]);
  const decide = (effect: 'approve' | 'deny') => async (): Promise<void> => {
    setBusy(true);
    try {
      await api(`approvals/${id}/${effect}`, { by: 'the pages', ...(note ? { note } : {}) });
      await readApprovals();
    } catch (error) {
      setProblem(messageOf(error));
      setBusy(false);
    }
  };
  const label = `${name} of ${server}`;
  return html`<li class="card approval" data-approval=${id}>
    <header><h2><${Name} of=${name} /></h2><span class="quiet">of <${Name} of=${server} /></span></header>
    <p><b>${plain(reason)}</b> <span class="quiet">(${plain(rule)} of ${plain(policy)})</span></p>
    <dl class="facts"><div><dt>Asked by</dt><dd><${Name} of=${principal} /></dd></div>
      <div><dt>Asked</dt><dd>${relative(createdAt)}</dd></div><div><dt>Expires</dt><dd>${relative(expiresAt)}</dd></div></dl>
    <pre tabindex="0" aria-label=${`Arguments of ${label}`}>${full ? plain(full.arguments) : '…'}</pre>
    ${full?.argumentsShortened ? html`<p class="quiet">Shortened: they are longer than can be shown.</p>` : null}
    <label>Note <input value=${note} maxlength="1000" onInput=${(event: Event) => setNote((event.target as HTMLInputElement).value)} /></label>
    ${problem ? html`<${Note} tone="fault">${problem}<//>` : null}
    <div class="actions">
      <button type="button" class="first" disabled=${busy} onClick=${decide('approve')} aria-label=${`Approve once: ${label}`}>Approve once</button>
      <button type="button" class="danger" disabled=${busy} onClick=${decide('deny')} aria-label=${`Deny ${label}`}>Deny</button>
    </div>
  </li>`;
}
