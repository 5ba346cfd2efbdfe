/**
 * Reads the policy documents of one configuration: inline, or in files it names. Mistakes in a file have the file's own name,
 * line and column; a file that several places name is read once, and its mistakes are reported once.
 * @module
 */
import { resolve } from 'node:path';
import { expandHome } from '../../config/expand.ts';
import type { JsonDocument, JsonPath } from '../../config/jsonc.ts';
import { Findings, inFileOrder, lineOf, shownPath } from '../../config/mistakes.ts';
import { nearest } from '../../config/nearest.ts';
import type { NamedFiles } from '../../config/read-file.ts';
import { isObject, type JsonObject } from '../../wire/jsonrpc.ts';
import { parsePolicyText, readPolicyValue } from './document.ts';
import type { PolicyDocument } from './types.ts';

export interface ReaderOptions {
  /** Relative paths start here. */
  folder: string;
  /** Paths are shown as a person here would type them. */
  cwd: string;
  files: NamedFiles;
  /** Findings in the configuration itself. */
  findings: Findings;
}

export class DocumentReader {
  /** Mistakes in files, one line each. */
  readonly lines: string[] = [];
  readonly #options: ReaderOptions;
  /** By path as it is shown; undefined: it has mistakes, which are reported already. */
  readonly #parsed = new Map<string, JsonDocument | undefined>();

  constructor(options: ReaderOptions) {
    this.#options = options;
  }

  /** A document that stands in the configuration at `path`. */
  inline(value: unknown, path: JsonPath, id: string): PolicyDocument | undefined {
    const inner = new Findings();
    const document = readPolicyValue(value, id, inner);
    for (const mistake of inner.mistakes) {
      this.#options.findings.mistake([...path, ...mistake.path], mistake.problem);
    }
    return document;
  }

  /** A document in a file that is named at `path`. `words` could have stood there instead of a path. */
  async file(
    name: string,
    path: JsonPath,
    id: string,
    words: readonly string[] = [],
  ): Promise<PolicyDocument | undefined> {
    const { folder, cwd, files, findings } = this.#options;
    const file = resolve(folder, expandHome(name));
    const { text, problem } = await files.read(file);
    if (text === undefined) {
      const near = nearest(name, words);
      const hint = near === undefined ? '' : `; did you mean "${near}"?`;
      findings.mistake(path, `the policy file ${shownPath(file, cwd)} was not read: ${problem}${hint}`);
      return undefined;
    }
    return this.text(text, shownPath(file, cwd), id);
  }

  /** A document in the text of a file. Its mistakes are reported once, however many places name the file. */
  text(text: string, label: string, id: string): PolicyDocument | undefined {
    if (!this.#parsed.has(label)) {
      const parsed = parsePolicyText(text, label);
      if (typeof parsed === 'string') this.lines.push(parsed);
      this.#parsed.set(label, typeof parsed === 'string' ? undefined : parsed);
    }
    const parsed = this.#parsed.get(label);
    if (parsed === undefined) return undefined;
    const inner = new Findings();
    const document = readPolicyValue(parsed.value, id, inner);
    if (document !== undefined) return document;
    this.lines.push(
      ...inFileOrder(inner.mistakes, parsed).map((mistake) => lineOf({ label, document: parsed }, mistake)),
    );
    this.#parsed.set(label, undefined);
    return undefined;
  }

  /**
   * Reads the members of `raw` that hold whole documents; `ids` are the documents' ids by member. No variables are expanded in
   * them, because they are pasted as published. Paths of files stay in `rest`.
   */
  takeInline<K extends string>(
    raw: unknown,
    path: JsonPath,
    ids: Readonly<Record<K, string>>,
  ): { rest: unknown; documents: Partial<Record<K, PolicyDocument | undefined>> } {
    if (!isObject(raw)) return { rest: raw, documents: {} };
    const rest: JsonObject = { ...raw };
    const documents: Partial<Record<K, PolicyDocument | undefined>> = {};
    for (const key of Object.keys(ids) as K[]) {
      if (!Object.hasOwn(raw, key) || !isObject(raw[key])) continue;
      documents[key] = this.inline(raw[key], [...path, key], ids[key]);
      delete rest[key];
    }
    return { rest, documents };
  }
}
