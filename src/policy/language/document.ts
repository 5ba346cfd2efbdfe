/**
 * Reads one policy document from its text or its value.
 * @module
 */

import { explain, found } from '../../config/explain.ts';
import { type JsonDocument, type JsonPath, JsonSyntaxError, parseJsonc } from '../../config/jsonc.ts';
import type { Findings } from '../../config/mistakes.ts';
import { ExactNumber } from '../../wire/json/exact.ts';
import { isObject } from '../../wire/jsonrpc.ts';
import { interceptDialect, looksLikeYaml } from './dialects.ts';
import { foldDocument } from './fold.ts';
import { POLICY_WORDS, policyDocumentSchema } from './schema/document.ts';
import type { PolicyDocument } from './types.ts';

/** The parsed text, or one line that says why it is no JSON. */
export function parsePolicyText(text: string, label: string): JsonDocument | string {
  try {
    return parseJsonc(text);
  } catch (error) {
    if (!(error instanceof JsonSyntaxError)) throw error;
    const { line, column } = error.place;
    if (looksLikeYaml(text)) {
      return `${label}:1:1: this is YAML, the dialect of Intercept and of older pages; a policy is written in JSON: {"version": "1", "default": "deny", "tools": {…}}.`;
    }
    return `${label}:${line}:${column}: not JSON: found ${error.message}.`;
  }
}

/** Reports every mistake, under paths of the document, and gives undefined when there is any. */
export function readPolicyValue(value: unknown, id: string, findings: Findings): PolicyDocument | undefined {
  if (!isObject(value)) {
    findings.mistake([], `found ${found([], value)}; allowed: a policy document, which is an object`);
    return undefined;
  }
  const before = findings.mistakes.length;
  checkTree(value, [], findings);
  if (findings.mistakes.length > before) return undefined;
  const foreign = interceptDialect(value);
  if (foreign !== undefined) {
    findings.mistake(foreign.path, foreign.problem);
    return undefined;
  }
  const result = policyDocumentSchema.safeParse(value);
  if (!result.success) {
    explain(result.error.issues, [], value, new Set(), findings, POLICY_WORDS);
    return undefined;
  }
  const document = foldDocument(result.data, id, findings);
  return findings.mistakes.length > before ? undefined : document;
}

/** As deep as the parser of files goes. */
const MAX_DEPTH = 64;

/**
 * Values that do not come from the parser may be nested without bound. A member called `__proto__` would be skipped by the
 * schema's maps of names, and its rule would silently not exist.
 */
function checkTree(node: unknown, path: JsonPath, findings: Findings): void {
  if (typeof node !== 'object' || node === null) return;
  if (node instanceof ExactNumber) {
    findings.mistake(path, `found ${found(path, node)}; allowed: the same in quotes, as a string`);
    return;
  }
  if (path.length > MAX_DEPTH) {
    findings.mistake(path.slice(0, 8), `found something nested deeper than ${MAX_DEPTH} levels`);
    return;
  }
  if (Array.isArray(node)) {
    for (const [index, item] of node.entries()) checkTree(item, [...path, index], findings);
    return;
  }
  for (const [key, item] of Object.entries(node)) {
    if (key === '__proto__') findings.mistake([...path, key], 'not a usable name; leave it out');
    else checkTree(item, [...path, key], findings);
  }
}
