/**
 * Reads `gateway.grants`: named keys. The file holds salted hashes only; a plain key is a mistake, and its message does not
 * quote it.
 * @module
 */

import type { JsonPath } from '../../config/jsonc.ts';
import type { Findings } from '../../config/mistakes.ts';
import { nameProblem } from '../../config/names.ts';
import { isObject } from '../../wire/jsonrpc.ts';
import type { DocumentReader } from './reader.ts';
import type { GrantEntry } from './schema/keys.ts';
import type { GrantConfig, PolicyDocument } from './types.ts';

const BASE: JsonPath = ['gateway', 'grants'];

/** Bounds the number of grants that one configuration holds. */
const MAX_GRANTS = 10_000;

/** `sha256:<key id>:<salt>:<hash>`. */
const HASHED_KEY = /^sha256:([A-Za-z0-9_-]{8,64}):[A-Za-z0-9_-]{16,64}:[A-Za-z0-9_-]{43}$/;

/**
 * Checks the names in `gateway.grants`, because the schema's map skips some, and reads the documents that stand in the grants,
 * by grant. Replaces the map in `gateway` by one without them.
 */
export function takeGrantPolicies(
  gateway: unknown,
  documents: DocumentReader,
  findings: Findings,
): ReadonlyMap<string, PolicyDocument | undefined> {
  const policies = new Map<string, PolicyDocument | undefined>();
  if (!isObject(gateway) || !isObject(gateway.grants)) return policies;
  const entries = Object.entries(gateway.grants);
  if (entries.length > MAX_GRANTS)
    findings.mistake(BASE, `found ${entries.length} grants; allowed: ${MAX_GRANTS} at most`);
  gateway.grants = Object.fromEntries(
    entries.map(([name, grant]) => {
      const problem =
        name.toLowerCase() === 'local' ? 'the name "local" is the local user’s; choose another' : nameProblem(name);
      if (problem !== undefined) findings.mistake([...BASE, name], problem);
      const taken = documents.takeInline(grant, [...BASE, name], { policy: `grant:${name}` });
      policies.set(name, taken.documents.policy);
      return [name, taken.rest];
    }),
  );
  return policies;
}

/** Reports grants without a key, but those in `keyless`: their clients are let in by a broker. */
export function requireKeys(
  entries: Readonly<Record<string, GrantEntry>>,
  keyless: ReadonlySet<string>,
  findings: Findings,
): void {
  for (const [name, { key }] of Object.entries(entries)) {
    if (key !== undefined || keyless.has(name)) continue;
    const allowed =
      'what `switchboard grants add` writes, or nothing for a grant that gateway.mqtt or gateway.auth gives';
    findings.mistake([...BASE, name, 'key'], `found nothing; allowed: ${allowed}`);
  }
}

/** `inline` holds the documents that stand in the grants, by grant. */
export async function readGrants(
  entries: Readonly<Record<string, GrantEntry>>,
  inline: ReadonlyMap<string, PolicyDocument | undefined>,
  documents: DocumentReader,
  findings: Findings,
): Promise<GrantConfig[]> {
  const grants: GrantConfig[] = [];
  /** The grant of each key id, by which a caller's key is looked up. */
  const owners = new Map<string, string>();
  for (const [name, { key, servers, policy, expires }] of Object.entries(entries)) {
    const path = [...BASE, name];
    grants.push({
      name,
      keys: checkKeys(key, name, [...path, 'key'], owners, findings),
      servers,
      policy:
        typeof policy === 'string'
          ? await documents.file(policy, [...path, 'policy'], `grant:${name}`)
          : inline.get(name),
      expiresAt: expiry(expires, [...path, 'expires'], findings),
    });
  }
  return grants;
}

function checkKeys(
  key: string | readonly string[] | undefined,
  name: string,
  path: JsonPath,
  owners: Map<string, string>,
  findings: Findings,
): string[] {
  const keys = typeof key === 'string' ? [key] : [...(key ?? [])];
  for (const [index, text] of keys.entries()) {
    const at = typeof key === 'string' ? path : [...path, index];
    const id = HASHED_KEY.exec(text)?.[1];
    if (id === undefined) {
      findings.mistake(
        at,
        'found something that is no hashed key; a key itself must not stand here: run `switchboard grants add`, ' +
          'which makes one and writes its hash (sha256:<key id>:<salt>:<hash>)',
      );
      continue;
    }
    const owner = owners.get(id);
    if (owner !== undefined) findings.mistake(at, `found a key that the grant "${owner}" has already`);
    owners.set(id, name);
  }
  return keys;
}

function expiry(text: string | undefined, path: JsonPath, findings: Findings): number | undefined {
  if (text === undefined) return undefined;
  const expiresAt = Date.parse(text);
  const day = text.slice(0, 10);
  // `Date.parse` reads the 30th of February as a day of March.
  if (Number.isNaN(expiresAt) || new Date(day).toISOString().slice(0, 10) !== day) {
    findings.mistake(path, 'found a date that does not exist; allowed: a date such as 2027-01-31');
    return undefined;
  }
  if (expiresAt <= Date.now()) findings.warn(path, 'this grant has expired; its keys open nothing');
  return expiresAt;
}
