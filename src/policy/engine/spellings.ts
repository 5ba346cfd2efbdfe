/**
 * Which normal form a subject is judged in beside the spelling it came in: names, URIs, and the URL that `connectServer`
 * takes. A denial of either form denies (`plan.ts`).
 * @module
 */
import { exposeUri, splitUri } from '../../federation/names/uris.ts';
import { isObject } from '../../wire/jsonrpc.ts';
import { normalName, normalNameGlob } from '../language/names.ts';
import type { PolicySection } from '../language/types.ts';
import { isReadTwoWays, normalUri, normalUriGlobs } from '../language/uris.ts';
import type { Subject } from '../types.ts';

export interface Spelling {
  readonly sections: readonly PolicySection[];
  /** The normal forms of a key of a document. Several where it may be read in several ways. */
  keys(key: string): readonly string[];
  /** The same of a key that is a glob. */
  globs(glob: string): readonly string[];
  readonly uri: UriArgument | undefined;
}

/** An argument that is a URI: conditions see its normal form instead of the one that was sent. */
export interface UriArgument {
  readonly argument: string;
  /** It is what the subject is called. */
  readonly isName: boolean;
  fold(uri: string): string;
}

/** Of a key as a URI of a server, and as one that begins with a server's label, which is no part of the normal form. */
function uriForms(key: string, forms: (text: string) => readonly string[]): readonly string[] {
  const split = splitUri(key);
  const own = split ? forms(split.original).map((form) => exposeUri(split.label, form)) : [];
  return [...own, ...forms(key)];
}

const URIS: Spelling = {
  sections: ['resources'],
  keys: (key) => uriForms(key, (text) => [normalUri(text)]),
  globs: (glob) => uriForms(glob, normalUriGlobs),
  uri: { argument: 'uri', isName: true, fold: normalUri },
};

const NAMES: Spelling = {
  sections: ['tools', 'prompts', 'agents', 'methods'],
  keys: (key) => [normalName(key)],
  globs: (glob) => [normalNameGlob(glob)],
  uri: undefined,
};

/** The gateway itself reads the `url` of its builtin tool, without the fragment (`config/urls.ts`). */
const BUILTIN: Spelling = {
  ...NAMES,
  sections: ['tools'],
  uri: { argument: 'url', isName: false, fold: (url) => normalUri(url.replace(/#.*/s, '')) },
};

export function spellingOf({ section, builtin }: Pick<Subject, 'section' | 'builtin'>): Spelling {
  if (section === 'resources') return URIS;
  return builtin && section === 'tools' ? BUILTIN : NAMES;
}

/** The subject in its normal form. A subject of a URI has it already (`relay/gate/subjects.ts`), which knows its templates. */
export function inNormalForm(subject: Subject): Subject | undefined {
  if (subject.section === 'resources') return subject.usual;
  const { name, namespaced } = subject;
  const normal = normalName(name);
  // The prefix is ASCII.
  const prefix = namespaced.endsWith(name) ? namespaced.slice(0, namespaced.length - name.length) : '';
  return {
    ...subject,
    name: normal,
    namespaced: prefix === '' ? normalName(namespaced) : prefix + normal,
    normal: true,
  };
}

/** Whether it is undecidable what the subject is: its server may read it in one way or in another. */
export const isUndecidable = ({ section, name }: Subject): boolean => section === 'resources' && isReadTwoWays(name);

/** The arguments with the URI in its normal form. */
export function withNormalUri(args: unknown, { uri }: Spelling): unknown {
  if (!uri || !isObject(args)) return args;
  const sent = args[uri.argument];
  return typeof sent === 'string' ? { ...args, [uri.argument]: uri.fold(sent) } : args;
}
