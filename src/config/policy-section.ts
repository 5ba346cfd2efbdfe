/**
 * Everything of `servers.json` that says who may do what becomes one {@link PolicyConfig}. It stands beside the servers and
 * not in them: a new policy must not restart a server.
 * @module
 */
import { join, resolve } from 'node:path';
import { sha256 } from '../core/hash.ts';
import { isObject } from '../wire/jsonrpc.ts';
import { type DocumentReader, splitDocuments } from './documents/reader.ts';
import { checkGrantNames, readGrants } from './grants.ts';
import { readHooks } from './hooks.ts';
import type { Findings } from './mistakes.ts';
import type { NamedFiles } from './named-files.ts';
import { expandHome } from './paths.ts';
import {
  type AuditConfig,
  type LockConfig,
  POLICY_SECTIONS,
  type PolicyConfig,
  type PolicyDocument,
} from './policy-types.ts';
import type { GatewayEntry } from './schema/gateway-section.ts';
import { AUDIT_DEFAULTS } from './schema/policy-keys.ts';
import type { GatewayConfig } from './types.ts';

export const LOCK_FILE = 'switchboard.lock.json';

/** What servers say for themselves, by name. */
export interface ServerPolicies {
  documents: Map<string, PolicyDocument>;
  validateArguments: Map<string, boolean>;
}

export interface PolicyContext {
  /** Relative paths start here: the folder of the file, or where the command was started. */
  folder: string;
  documents: DocumentReader;
  files: NamedFiles;
  servers: ServerPolicies;
  findings: Findings;
}

/** Documents that stand in the `gateway` section, taken out before variables are expanded. */
export interface InlineDocuments {
  policy?: unknown;
  defaultPolicy?: unknown;
  /** By grant. */
  grants: ReadonlyMap<string, unknown>;
}

/** Checks the names of grants too: the map of names that is read passes over some. */
export function splitGateway(raw: unknown, findings: Findings): { rest: unknown; inline: InlineDocuments } {
  const { rest, documents } = splitDocuments(raw, ['policy', 'defaultPolicy']);
  const grants = new Map<string, unknown>();
  if (isObject(rest) && isObject(rest.grants)) {
    checkGrantNames(rest.grants, findings);
    rest.grants = Object.fromEntries(
      Object.entries(rest.grants).map(([name, grant]) => {
        const split = splitDocuments(grant, ['policy']);
        if (split.documents.policy !== undefined) grants.set(name, split.documents.policy);
        return [name, split.rest];
      }),
    );
  }
  return { rest, inline: { ...documents, grants } };
}

/** A document that says nothing but this. */
export function emptyDocument(id: string, otherwise: PolicyDocument['default']): PolicyDocument {
  return {
    id,
    description: undefined,
    mode: 'enforce',
    default: otherwise,
    hide: [],
    allTools: [],
    sections: Object.fromEntries(
      POLICY_SECTIONS.map((section) => [section, new Map()]),
    ) as unknown as PolicyDocument['sections'],
  };
}

export async function policyConfig(
  entry: GatewayEntry,
  inline: InlineDocuments,
  gateway: GatewayConfig,
  context: PolicyContext,
): Promise<PolicyConfig> {
  const { documents, files, findings, folder, servers } = context;
  const grants = await readGrants(entry.grants ?? {}, inline.grants, documents, findings);
  const { adminToken } = entry;
  if (adminToken !== undefined && adminToken === gateway.token) {
    findings.mistake(['gateway', 'adminToken'], 'found the same as gateway.token; whoever may call could then approve');
  }
  return {
    gateway: await documentOf('policy', entry.policy, inline.policy, 'gateway', documents),
    defaultPolicy: await defaultPolicy(entry, inline, documents),
    servers: servers.documents,
    grants,
    keysRequired: entry.grants !== undefined,
    hooks: await readHooks(entry.hooks, { folder, files, findings }),
    audit: auditConfig(entry, gateway.stateDir, folder, findings),
    lock: await lockConfig(entry.lock, join(folder, LOCK_FILE), files),
    validateArguments: { default: entry.validateArguments, servers: servers.validateArguments },
    adminToken,
  };
}

/** What the lock file says is for the lock to read; that it is read here has it watched, there or not. */
async function lockConfig(mode: LockConfig['mode'], file: string, files: NamedFiles): Promise<LockConfig> {
  if (mode === 'off') return { mode, file };
  const { text } = await files.read(file);
  return text === undefined ? { mode, file } : { mode, file, hash: sha256(text) };
}

/** Tells the mistakes of documents in a section that is not read because of others. */
export function checkInline({ policy, defaultPolicy, grants }: InlineDocuments, documents: DocumentReader): void {
  if (policy !== undefined) documents.inline(policy, ['gateway', 'policy'], 'gateway');
  if (defaultPolicy !== undefined) documents.inline(defaultPolicy, ['gateway', 'defaultPolicy'], 'default');
  for (const [name, document] of grants) {
    documents.inline(document, ['gateway', 'grants', name, 'policy'], `grant:${name}`);
  }
}

async function documentOf(
  key: string,
  written: unknown,
  inline: unknown,
  id: string,
  documents: DocumentReader,
  words: readonly string[] = [],
): Promise<PolicyDocument | undefined> {
  const path = ['gateway', key];
  if (inline !== undefined) return documents.inline(inline, path, id);
  return typeof written === 'string' ? documents.file(written, path, id, words) : undefined;
}

async function defaultPolicy(
  { defaultPolicy: written, grants }: GatewayEntry,
  inline: InlineDocuments,
  documents: DocumentReader,
): Promise<PolicyDocument> {
  // Who gives out keys means to say what each may do: one that says nothing opens nothing.
  const usual = emptyDocument('default', grants === undefined ? 'allow' : 'deny');
  if (written === 'allow' || written === 'deny') return emptyDocument('default', written);
  const words = ['allow', 'deny'];
  // A document with a mistake is told about; what stands in for it is never used.
  return (await documentOf('defaultPolicy', written, inline.defaultPolicy, 'default', documents, words)) ?? usual;
}

function auditConfig(
  { audit }: GatewayEntry,
  stateDir: string | undefined,
  folder: string,
  findings: Findings,
): AuditConfig | undefined {
  if (audit === false) return undefined;
  const { file, maxBytes, keep } = audit === true ? { ...AUDIT_DEFAULTS, file: undefined } : audit;
  if (file !== undefined) return { file: resolve(folder, expandHome(file)), maxBytes, keep };
  if (stateDir !== undefined) return { file: join(stateDir, AUDIT_DEFAULTS.file), maxBytes, keep };
  findings.mistake(['gateway', 'audit'], 'found no place for the records; name a file, or set gateway.stateDir');
  return undefined;
}
