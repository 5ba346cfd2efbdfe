/**
 * Writes `servers.schema.json` and `policy.schema.json`, what editors read: `node src/schema-file.ts`. A test fails while
 * they are not up to date.
 * @module
 */
import { writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { SERVERS_FILE } from './load-config.ts';
import { editorPolicySchema } from './policy/language/schema/document.ts';

export const SCHEMA_FILE = fileURLToPath(new URL('../servers.schema.json', import.meta.url));
export const POLICY_SCHEMA_FILE = fileURLToPath(new URL('../policy.schema.json', import.meta.url));

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await writeFile(SCHEMA_FILE, `${JSON.stringify(SERVERS_FILE.editorSchema(), null, 2)}\n`);
  await writeFile(POLICY_SCHEMA_FILE, `${JSON.stringify(editorPolicySchema(), null, 2)}\n`);
}
