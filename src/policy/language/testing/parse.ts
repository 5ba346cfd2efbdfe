/**
 * Parses policy documents written in tests.
 * @module
 */
import { Findings, lineOf } from '../../../config/mistakes.ts';
import { NamedFiles } from '../../../config/read-file.ts';
import { DocumentReader } from '../reader.ts';
import type { PolicyDocument, Rule } from '../types.ts';

export type ParsedPolicy =
  | { document: PolicyDocument; mistakes?: undefined }
  | { document?: undefined; mistakes: readonly string[] };

/** As a configuration reads it: a string is the text of a file, anything else a value that stands in the configuration. */
export function parsePolicyDocument(source: unknown, id: string, label = id): ParsedPolicy {
  const findings = new Findings();
  const reader = new DocumentReader({ folder: '/', cwd: '/', files: new NamedFiles(), findings });
  const document = typeof source === 'string' ? reader.text(source, label, id) : reader.inline(source, [], id);
  if (document !== undefined) return { document };
  const inline = findings.mistakes.map((mistake) => lineOf({ label, document: undefined }, mistake));
  return { mistakes: [...inline, ...reader.lines] };
}

/** A document with these members besides the required ones. */
export function policy(members: object): PolicyDocument {
  const { document, mistakes } = parsePolicyDocument({ version: '1', default: 'allow', ...members }, 'test');
  if (document === undefined) throw new Error(mistakes.join('\n'));
  return document;
}

/** The rule of the tool `Tool_A` that is written so. */
export function rule(entry: object): Rule {
  const found = policy({ tools: { Tool_A: entry } }).sections.tools.get('Tool_A');
  if (found === undefined) throw new Error('no rule');
  return found;
}

/** What is wrong with a document, one line each. */
export function policyMistakes(source: unknown): readonly string[] {
  const { mistakes } = parsePolicyDocument(source, 'policy.json');
  if (mistakes === undefined) throw new Error('it is sound');
  return mistakes;
}

/** What is wrong with a rule of the tool `t`. */
export const ruleMistakes = (entry: unknown): readonly string[] =>
  policyMistakes({ version: '1', default: 'allow', tools: { t: entry } }).map((line) =>
    line.replace(/^policy\.json tools\.t\.?/, ''),
  );
