/**
 * Reads the policy keys of `servers.json` into one {@link PolicyConfig}. It stands beside the servers and not in them: a new
 * policy must not restart a server.
 * @module
 */
import { join, resolve } from 'node:path';
import { z } from 'zod';
import { expandHome } from '../../config/expand.ts';
import type { ConfigExtension, ExtensionContext, ExtensionReader } from '../../config/extension.ts';
import { type JsonPath, pathKey } from '../../config/jsonc.ts';
import type { Findings } from '../../config/mistakes.ts';
import type { NamedFiles } from '../../config/read-file.ts';
import type { GatewayConfig } from '../../config/types.ts';
import { sha256 } from '../../core/hash.ts';
import type { AuditConfig } from '../../observe/audit/file-log.ts';
import { isObject, type JsonObject } from '../../wire/jsonrpc.ts';
import { checkGrantNames, readGrants } from './grants.ts';
import { readHooks } from './hooks.ts';
import { DocumentReader, splitDocuments } from './reader.ts';
import { policyJsonSchema } from './schema/json-schema.ts';
import { AUDIT_DEFAULTS, gatewayPolicyShape, serverPolicyShape } from './schema/keys.ts';
import { type LockConfig, POLICY_SECTIONS, type PolicyConfig, type PolicyDocument } from './types.ts';

export const LOCK_FILE = 'switchboard.lock.json';

export const policyExtension: ConfigExtension<PolicyConfig> = {
  gatewayShape: gatewayPolicyShape,
  serverShape: serverPolicyShape,
  verbatimIds: () => ['policy', ...Object.keys(policyJsonSchema().$defs as object)],
  open: (context) => new PolicySectionReader(context),
};

const gatewaySchema = z.strictObject(gatewayPolicyShape);
const serverSchema = z.strictObject(serverPolicyShape);

type GatewayEntry = z.infer<typeof gatewaySchema>;

class PolicySectionReader implements ExtensionReader<PolicyConfig> {
  readonly #context: ExtensionContext;
  readonly #documents: DocumentReader;
  /** By server name. */
  readonly #servers = new Map<string, PolicyDocument>();
  readonly #validateArguments = new Map<string, boolean>();

  constructor(context: ExtensionContext) {
    this.#context = context;
    this.#documents = new DocumentReader(context);
  }

  get lines(): readonly string[] {
    return this.#documents.lines;
  }

  authenticates({ grants }: JsonObject): boolean {
    return grants !== undefined;
  }

  async server(name: string, raw: JsonObject, path: JsonPath, disabled: boolean): Promise<void> {
    const { rest, documents: inline } = splitDocuments(raw, ['policy']);
    const at = [...path, 'policy'];
    const id = `server:${name}`;
    let policy = inline.policy === undefined ? undefined : this.#documents.inline(inline.policy, at, id);
    const section = this.#context.sections.read(
      serverSchema,
      rest,
      path,
      ({ kind }) => !(disabled && kind === 'unset'),
    );
    if (section === undefined) return;
    const { policy: written, validateArguments } = section.value;
    if (typeof written === 'string' && !section.unresolved.has(pathKey(at))) {
      policy = await this.#documents.file(written, at, id);
    }
    if (policy !== undefined) this.#servers.set(name, policy);
    if (validateArguments !== undefined) this.#validateArguments.set(name, validateArguments);
  }

  async gateway(raw: JsonObject, gateway: GatewayConfig | undefined): Promise<PolicyConfig | undefined> {
    const { findings, folder, files, sections } = this.#context;
    const documents = this.#documents;
    const { rest, inline } = splitGateway(raw, findings);
    const entry = sections.read(gatewaySchema, rest, ['gateway'])?.value;
    if (entry === undefined || gateway === undefined) {
      checkInline(inline, documents);
      return undefined;
    }
    const grants = await readGrants(entry.grants ?? {}, inline.grants, documents, findings);
    const { adminToken } = entry;
    if (adminToken !== undefined && adminToken === gateway.token) {
      findings.mistake(
        ['gateway', 'adminToken'],
        'found the same as gateway.token; whoever may call could then approve',
      );
    }
    return {
      gateway: await documentOf('policy', entry.policy, inline.policy, 'gateway', documents),
      defaultPolicy: await defaultPolicy(entry, inline, documents),
      servers: this.#servers,
      grants,
      keysRequired: entry.grants !== undefined,
      hooks: await readHooks(entry.hooks, { folder, files, findings }),
      audit: auditConfig(entry, gateway.stateDir, folder, findings),
      lock: await lockConfig(entry.lock, join(folder, LOCK_FILE), files),
      validateArguments: { default: entry.validateArguments, servers: this.#validateArguments },
      adminToken,
    };
  }
}

/** Documents that stand in the `gateway` section, taken out before variables are expanded. */
interface InlineDocuments {
  policy?: unknown;
  defaultPolicy?: unknown;
  /** By grant. */
  grants: ReadonlyMap<string, unknown>;
}

/** Also checks the names of grants, because the schema's map skips some. */
function splitGateway(raw: unknown, findings: Findings): { rest: unknown; inline: InlineDocuments } {
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

/** A document that holds a default only. */
function emptyDocument(id: string, otherwise: PolicyDocument['default']): PolicyDocument {
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

/** Reads the lock file so that it is watched, also while it is missing. `pinning` reads its content. */
async function lockConfig(mode: LockConfig['mode'], file: string, files: NamedFiles): Promise<LockConfig> {
  if (mode === 'off') return { mode, file };
  const { text } = await files.read(file);
  return text === undefined ? { mode, file } : { mode, file, hash: sha256(text) };
}

/** Reports the mistakes of inline documents in a section that has other mistakes. */
function checkInline({ policy, defaultPolicy, grants }: InlineDocuments, documents: DocumentReader): void {
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
  // With keys, each key must be given what it may do: one without a policy may do nothing.
  const usual = emptyDocument('default', grants === undefined ? 'allow' : 'deny');
  if (written === 'allow' || written === 'deny') return emptyDocument('default', written);
  const words = ['allow', 'deny'];
  // A document with mistakes fails the load, so its substitute is never used.
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
