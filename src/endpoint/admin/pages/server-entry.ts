/** A server's entry in the configuration file: edited as JSON, checked, and shown as a difference before it is written. */
import type { VNode } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import type { DiffLine } from '../line-diff.ts';
import type { Elsewhere } from '../replica-actions.ts';
import { api, messageOf } from './api.ts';
import { FileElsewhere } from './elsewhere.ts';
import { Dialog, Diff, html, Note, plain } from './ui.ts';

interface Shown {
  file: string;
  revision: string;
  entry?: object;
}

const EXAMPLE = { url: 'https://example.com/mcp' };

/** Without a name: a new server. */
export function EntryDialog({ name, onClose }: { name?: string; onClose: () => void }): VNode {
  const [shown, setShown] = useState<Shown | undefined>(undefined);
  const [text, setText] = useState('');
  const [target, setTarget] = useState(name ?? '');
  const [diff, setDiff] = useState<readonly DiffLine[] | undefined>(undefined);
  const [isRemoval, setRemoval] = useState(false);
  const [problem, setProblem] = useState('');
  const [done, setDone] = useState<{ elsewhere?: Elsewhere } | undefined>(undefined);

  useEffect(() => {
    api<Shown>(`api/servers/${encodeURIComponent(name ?? 'new')}/entry`).then(
      (found) => {
        setShown(found);
        setText(JSON.stringify(name === undefined ? EXAMPLE : (found.entry ?? {}), null, 2));
      },
      (error: unknown) => setProblem(messageOf(error)),
    );
  }, [name]);

  const send = async (write: boolean, removes = isRemoval): Promise<void> => {
    setProblem('');
    try {
      const entry: unknown = removes ? null : JSON.parse(text);
      const body = { entry, revision: shown?.revision, write };
      const reply = await api<{ diff: DiffLine[]; written: boolean; elsewhere?: Elsewhere }>(
        `api/servers/${encodeURIComponent(target)}/entry`,
        body,
      );
      setDiff(reply.diff);
      setRemoval(removes);
      if (reply.written) setDone(reply);
    } catch (error) {
      setDiff(undefined);
      setProblem(error instanceof SyntaxError ? `This is not JSON: ${error.message}` : messageOf(error));
    }
  };

  const title = name === undefined ? 'Add a server' : html`Edit <bdi>${plain(name)}</bdi>`;
  return html`<${Dialog} title=${title} wide=${true} onClose=${onClose}>
    ${
      done
        ? html`<${Note} tone="good">Written. The gateway reads the file again by itself.<//>
        <${FileElsewhere} of=${done.elsewhere} />
        <div class="actions"><button type="button" class="first" onClick=${onClose}>Close</button></div>`
        : html`<form onSubmit=${(event: SubmitEvent) => {
            event.preventDefault();
            void send(false, false);
          }}>
      ${
        shown
          ? html`<p class="quiet">In <code>${shown.file}</code>. Comments and layout stay. Secrets are not shown: where ${html`<code>[unchanged]</code>`} stands, the value stays.</p>`
          : null
      }
      ${
        name === undefined
          ? html`<label for="entry-name">Name</label><input id="entry-name" required value=${target}
        onInput=${(event: InputEvent) => setTarget((event.target as HTMLInputElement).value)} />`
          : null
      }
      <label for="entry">Entry</label>
      <textarea id="entry" rows="12" spellcheck=${false} value=${text}
        onInput=${(event: InputEvent) => {
          setText((event.target as HTMLTextAreaElement).value);
          setDiff(undefined);
        }}></textarea>
      ${problem ? html`<${Note} tone="fault"><pre>${plain(problem)}</pre><//>` : null}
      ${diff ? (diff.length === 0 ? html`<${Note}>Nothing changes.<//>` : html`<${Diff} lines=${diff} />`) : null}
      <div class="actions">
        <button class=${diff?.length ? '' : 'first'} disabled=${!shown}>Check</button>
        ${diff?.length ? html`<button type="button" class="first" onClick=${() => void send(true)}>${isRemoval ? 'Take it out' : 'Write'}</button>` : null}
        ${name === undefined || !shown?.entry ? null : html`<button type="button" class="danger" onClick=${() => void send(false, true)}>Remove…</button>`}
      </div>
    </form>`
    }
  <//>`;
}
