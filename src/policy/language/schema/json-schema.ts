/**
 * The JSON Schema of a policy document, derived from the zod schema: what editors read (`policy.schema.json`), and what
 * error messages take their words from.
 * @module
 */
import { z } from 'zod';
import { schemaWords } from '../../../config/schema/words.ts';
import type { JsonObject } from '../../../wire/jsonrpc.ts';
import { policyDocumentSchema } from './document.ts';

let schema: JsonObject | undefined;

/** 2020-12, as the published documents and the schemas of tools. */
export function policyJsonSchema(): JsonObject {
  schema ??= z.toJSONSchema(policyDocumentSchema, { io: 'input', target: 'draft-2020-12' }) as JsonObject;
  return schema;
}

export const POLICY_WORDS = schemaWords(policyJsonSchema);

/** As editors get it. */
export function editorPolicySchema(): JsonObject {
  const { $schema, ...rest } = policyJsonSchema();
  return {
    $schema,
    $id: 'https://unpkg.com/agent-switchboard/policy.schema.json',
    title: 'Switchboard: a policy document',
    ...rest,
  };
}
