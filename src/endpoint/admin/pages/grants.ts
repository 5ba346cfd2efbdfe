/** Grants: keys of clients. A key is made here and shown this once; others are rotated and revoked. */
import type { VNode } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import type { AddedJson, GrantJson, GrantsJson, RevokedJson } from '../grants.ts';
import { api, messageOf } from './api.ts';
import { FileElsewhere } from './elsewhere.ts';
import { Badge, Copyable, Dialog, Empty, html, Name, Note, Part, plain, relative } from './ui.ts';

type Open = { what: 'add' } | { what: 'rotate' | 'revoke'; grant: GrantJson };

/** `onChanged` is called when there is another grant, or one less. */
export function GrantsPart({ onChanged }: { onChanged: () => void }): VNode {
  const [found, setFound] = useState<GrantsJson | undefined>(undefined);
  const [open, setOpen] = useState<Open | undefined>(undefined);
  const [problem, setProblem] = useState('');
  const load = (): void =>
    void api<GrantsJson>('api/grants').then(setFound, (error: unknown) => setProblem(messageOf(error)));
  useEffect(load, []);
  const changed = (): void => {
    load();
    onChanged();
  };
  const close = (): void => setOpen(undefined);
  const actions = found?.editable
    ? html`<button type="button" class="first" onClick=${() => setOpen({ what: 'add' })}>New key…</button>`
    : null;
  return html`<${Part} id="keys" title="Keys" about="A grant is a named key of a client and what it may do. The file keeps a hash of the key and never the key." actions=${actions}>
    ${problem ? html`<${Note} tone="fault">${plain(problem)}<//>` : null}
    ${found && !found.editable ? html`<p class="quiet">The configuration of this gateway is in no file, so keys cannot be made here.</p>` : null}
    ${found?.total === 0 ? html`<${Empty}>There are no grants. ${found.needsKey ? 'Clients use the gateway’s token.' : 'Whoever reaches the gateway is the local user.'}<//>` : null}
    ${
      found && found.total > 0
        ? html`<div class="scroll" tabindex="0" role="region" aria-label="Grants"><table>
      <thead><tr><th scope="col">Grant</th><th scope="col">Servers</th><th scope="col">Policy</th><th scope="col">Ends</th><th scope="col">Keys</th><th scope="col" class="does"><span class="unseen">Actions</span></th></tr></thead>
      <tbody>${found.grants.map((grant) => html`<${Row} key=${grant.name} grant=${grant} editable=${found.editable} onOpen=${(what: 'rotate' | 'revoke') => setOpen({ what, grant })} />`)}</tbody></table></div>`
        : null
    }
    ${found && found.total > found.grants.length ? html`<p class="quiet">${found.total - found.grants.length} more grants are not shown.</p>` : null}
    ${open && open.what !== 'revoke' ? html`<${KeyDialog} grant=${open.what === 'rotate' ? open.grant : undefined} needsKey=${found?.needsKey === true} onMade=${changed} onClose=${close} />` : null}
    ${open?.what === 'revoke' ? html`<${RevokeDialog} grant=${open.grant} isLast=${found?.total === 1} onRevoked=${changed} onClose=${close} />` : null}
  <//>`;
}

const POLICIES = { own: 'its own', none: 'the default' };

function Row({
  grant: { name, servers, policy, expires, expired, keyIds },
  editable,
  onOpen,
}: {
  grant: GrantJson;
  editable: boolean;
  onOpen: (what: 'rotate' | 'revoke') => void;
}): VNode {
  const document =
    policy === null ? POLICIES.none : policy === 'own' ? POLICIES.own : html`<code>${plain(policy)}</code>`;
  return html`<tr><th scope="row"><${Name} of=${name} /></th>
    <td>${servers === null ? 'all' : servers.map((glob) => html`<${Name} key=${glob} of=${glob} /> `)}</td>
    <td>${document}</td>
    <td>${expires === null ? 'never' : expired ? html`<${Badge} of="expired" tone="bad" />` : relative(expires)}</td>
    <td>${keyIds.length === 0 ? html`<span class="quiet">none</span>` : keyIds.map((id) => html`<code key=${id}>${id}</code> `)}</td>
    <td class="does">${
      editable
        ? html`<button type="button" class="small" onClick=${() => onOpen('rotate')} aria-label=${`Rotate the key of ${plain(name)}`}>Rotate…</button>
      <button type="button" class="small danger" onClick=${() => onOpen('revoke')} aria-label=${`Revoke ${plain(name)}`}>Revoke…</button>`
        : null
    }</td></tr>`;
}

const ENDS: readonly [value: string, label: string][] = [
  ['', 'never'],
  ['24h', 'in a day'],
  ['7d', 'in a week'],
  ['30d', 'in 30 days'],
  ['90d', 'in 90 days'],
  ['365d', 'in a year'],
];

/** Without a grant: a new one. */
function KeyDialog({
  grant,
  needsKey,
  onMade,
  onClose,
}: {
  grant: GrantJson | undefined;
  needsKey: boolean;
  onMade: () => void;
  onClose: () => void;
}): VNode {
  const [made, setMade] = useState<AddedJson | undefined>(undefined);
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState('');
  const submit = async (event: SubmitEvent): Promise<void> => {
    event.preventDefault();
    const given = new FormData(event.target as HTMLFormElement);
    const text = (field: string): string => String(given.get(field) ?? '').trim();
    const servers = text('servers')
      .split(/[\s,]+/)
      .filter(Boolean);
    const body = grant
      ? { name: grant.name, rotate: true }
      : { name: text('name'), ...(servers.length > 0 ? { servers } : {}), expires: text('expires') };
    setBusy(true);
    setProblem('');
    try {
      setMade(await api<AddedJson>('api/grants', body));
      onMade();
    } catch (error) {
      setProblem(messageOf(error));
    }
    setBusy(false);
  };
  const title = grant ? html`Another key for <bdi>${plain(grant.name)}</bdi>` : 'New key';
  if (made) return html`<${MadeDialog} made=${made} onClose=${onClose} />`;
  return html`<${Dialog} title=${title} onClose=${onClose}>
    <form onSubmit=${submit}>
      ${
        grant
          ? html`<p>The key it has stays valid beside the new one${grant.keyIds.length > 1 ? html`, and of the two it has the older one, <code>${grant.keyIds[0]}</code>, ends now` : null}.</p>`
          : html`<label for="grant-name">Name</label>
        <input id="grant-name" name="name" required maxlength="64" autocomplete="off" aria-describedby="grant-name-help" />
        <p class="quiet" id="grant-name-help">Of whoever gets the key: a person, a program. It stands in logs and the audit.</p>
        <label for="grant-servers">Servers <span class="quiet">(all when empty)</span></label>
        <input id="grant-servers" name="servers" autocomplete="off" spellcheck=${false} placeholder="docs github-*" aria-describedby="grant-servers-help" />
        <p class="quiet" id="grant-servers-help">Names or globs, with spaces between them.</p>
        <label for="grant-expires">Ends</label>
        <select id="grant-expires" name="expires">${ENDS.map(([value, label]) => html`<option key=${value} value=${value}>${label}</option>`)}</select>`
      }
      ${needsKey ? null : html`<${Note} tone="warn">This gateway asks for no key yet. With the first grant every client over HTTP needs one, from that moment on.<//>`}
      ${problem ? html`<${Note} tone="fault"><pre>${plain(problem)}</pre><//>` : null}
      <div class="actions"><button class="first" disabled=${busy}>${busy ? 'Making it…' : 'Make the key'}</button></div>
    </form>
  <//>`;
}

function MadeDialog({ made, onClose }: { made: AddedJson; onClose: () => void }): VNode {
  const { grant, key, droppedKeyIds, active, byDefault, elsewhere } = made;
  return html`<${Dialog} title=${html`The key of <bdi>${plain(grant)}</bdi>`} onClose=${onClose} kept=${true}>
    <${Note} tone="warn">It is shown this once. Copy it now: nobody can look it up later.<//>
    <p></p>
    <${Copyable} text=${key} label=${`Key of ${plain(grant)}`} />
    <p>Clients send it as <code>Authorization: Bearer …</code>; <a href="#/connect">Connect a client</a> says how.</p>
    ${active ? null : html`<${Note} tone="fault">The file is written, and the gateway has not read it again yet. Look at its log.<//>`}
    <${FileElsewhere} of=${elsewhere} />
    ${byDefault === 'deny' ? html`<p>It has no policy of its own, and the default policy is to deny: it can use what that policy allows and nothing else.</p>` : null}
    ${droppedKeyIds.length > 0 ? html`<p>The key <code>${droppedKeyIds.join(', ')}</code> opens nothing any more.</p>` : null}
    <div class="actions"><button type="button" class="first" onClick=${onClose}>I have copied it</button></div>
  <//>`;
}

function RevokeDialog({
  grant: { name, keyIds },
  isLast,
  onRevoked,
  onClose,
}: {
  grant: GrantJson;
  isLast: boolean;
  onRevoked: () => void;
  onClose: () => void;
}): VNode {
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState('');
  const [done, setDone] = useState<RevokedJson | undefined>(undefined);
  const revoke = async (): Promise<void> => {
    setBusy(true);
    setProblem('');
    try {
      const revoked = await api<RevokedJson>('api/grants/revoke', { name });
      onRevoked();
      // Where other replicas have something to say it is read first.
      const { replies, silent } = revoked.elsewhere;
      if (replies.length + silent === 0) onClose();
      else setDone(revoked);
    } catch (error) {
      setProblem(messageOf(error));
      setBusy(false);
    }
  };
  if (done) {
    return html`<${Dialog} title=${html`<bdi>${plain(name)}</bdi> is revoked`} onClose=${onClose}>
      <${FileElsewhere} of=${done.elsewhere} />
      <div class="actions"><button type="button" class="first" onClick=${onClose}>Close</button></div>
    <//>`;
  }
  return html`<${Dialog} title=${html`Revoke <bdi>${plain(name)}</bdi>?`} onClose=${onClose}>
    <p>${keyIds.length === 1 ? 'Its key opens' : 'Its keys open'} nothing any more, its clients’ sessions end, and the grant is taken out of the file.</p>
    ${isLast ? html`<${Note} tone="warn">It is the last grant. The gateway stays closed: clients over HTTP are refused until there is another grant or a token.<//>` : null}
    ${problem ? html`<${Note} tone="fault"><pre>${plain(problem)}</pre><//>` : null}
    <div class="actions"><button type="button" class="danger" disabled=${busy} onClick=${() => void revoke()}>Revoke</button>
      <button type="button" onClick=${onClose}>Keep it</button></div>
  <//>`;
}
