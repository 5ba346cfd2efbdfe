/**
 * Parses policy documents written in tests.
 * @module
 */
import { parsePolicyDocument } from '../document.ts';
import type { PolicyDocument, Rule } from '../types.ts';

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
