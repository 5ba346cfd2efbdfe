/** What became of an action in the other replicas: where it holds, and where it does not. */
import type { VNode } from 'preact';
import type { Elsewhere, ReplicaReply } from '../replica-actions.ts';
import { html, Name, Note, plain, plural } from './ui.ts';

interface ElsewhereProps {
  of: Elsewhere | undefined;
  /** In so many replicas, given as words, it is as it should be. */
  done: (replicas: string) => string;
  /** What is not as it should be in a replica that has answered. */
  unlike?: (result: NonNullable<ReplicaReply['result']>) => string | undefined;
}

export function ElsewhereNote({ of, done, unlike = () => undefined }: ElsewhereProps): VNode | null {
  if (!of || of.replies.length + of.silent === 0) return null;
  const said = of.replies.map(({ replica, result, problem }) => ({
    replica,
    problem: problem ?? (result ? unlike(result) : undefined),
  }));
  const failed = said.filter(({ problem }) => problem !== undefined);
  const good = said.length - failed.length;
  return html`<${Note} tone=${failed.length + of.silent > 0 ? 'warn' : 'good'}>
    ${good > 0 ? html`<p>${done(plural(good, 'other replica'))}</p>` : null}
    ${failed.map(({ replica, problem }) => html`<p key=${replica}>Replica <${Name} of=${replica} />: ${plain(problem ?? '')}</p>`)}
    ${of.silent > 0 ? html`<p>${plural(of.silent, 'replica')} did not answer in time, and may still do it. Look at it there.</p>` : null}
  <//>`;
}

/** After an edit of the configuration file. */
export const FileElsewhere = ({ of }: { of: Elsewhere | undefined }): VNode =>
  html`<${ElsewhereNote} of=${of}
    done=${(replicas: string) => `${replicas} ${replicas.startsWith('1 ') ? 'reads' : 'read'} the same and took it on.`}
    unlike=${({ reads, file }: { reads?: unknown; file?: unknown }) =>
      reads === 'another'
        ? `It has a file of its own (${String(file)}), which says something else and stays as it is. Edit that one too.`
        : reads === 'none'
          ? 'Its configuration is in no file and stays as it is.'
          : undefined} />`;
