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
import { LOCAL_PRINCIPAL } from '../../core/identity.ts';
import type { AuditConfig } from '../../observe/audit/file-log.ts';
import type { JsonObject } from '../../wire/jsonrpc.ts';
import { readGrants, requireKeys, takeGrantPolicies } from './grants.ts';
import { readHooks } from './hooks.ts';
import { DocumentReader } from './reader.ts';
import { policyJsonSchema } from './schema/document.ts';
import { AUDIT_DEFAULTS, gatewayPolicyShape, serverPolicyShape } from './schema/keys.ts';
import { type GrantConfig, type LockConfig, POLICY_SECTIONS, type PolicyConfig, type PolicyDocument } from './types.ts';

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
    const at = [...path, 'policy'];
    const id = `server:${name}`;
    const { rest, documents } = this.#documents.takeInline(raw, path, { policy: id });
    const section = this.#context.sections.read(
      serverSchema,
      rest,
      path,
      ({ kind }) => !(disabled && kind === 'unset'),
    );
    if (section === undefined) return;
    const { policy: written, validateArguments } = section.value;
    const isFile = typeof written === 'string' && !section.unresolved.has(pathKey(at));
    const policy = isFile ? await this.#documents.file(written, at, id) : documents.policy;
    if (policy !== undefined) this.#servers.set(name, policy);
    if (validateArguments !== undefined) this.#validateArguments.set(name, validateArguments);
  }

  async gateway(raw: JsonObject, gateway: GatewayConfig | undefined): Promise<PolicyConfig | undefined> {
    const { findings, folder, files, sections } = this.#context;
    const documents = this.#documents;
    const ids = { policy: 'gateway', defaultPolicy: 'default' };
    const { rest, documents: inline } = documents.takeInline(raw, ['gateway'], ids);
    const grantPolicies = takeGrantPolicies(rest, documents, findings);
    const entry = sections.read(gatewaySchema, rest, ['gateway'])?.value;
    if (entry === undefined) return undefined;
    requireKeys(
      entry.grants ?? {},
      new Set([...grantsAtBroker(gateway?.mqtt), ...grantsOfTokens(gateway?.auth).map(({ grant }) => grant)]),
      findings,
    );
    if (gateway === undefined) return undefined;
    const grants = await readGrants(entry.grants ?? {}, grantPolicies, documents, findings);
    const documentOf = (key: keyof typeof ids, words?: readonly string[]) => {
      const written = entry[key];
      return typeof written === 'string' ? documents.file(written, ['gateway', key], ids[key], words) : inline[key];
    };
    const { defaultPolicy: word } = entry;
    const isWord = word === 'allow' || word === 'deny';
    // With keys, each key must be given what it may do: one without a policy may do nothing.
    const usual = emptyDocument('default', isWord ? word : entry.grants === undefined ? 'allow' : 'deny');
    const { adminToken } = entry;
    if (adminToken !== undefined && adminToken === gateway.token) {
      findings.mistake(
        ['gateway', 'adminToken'],
        'found the same as gateway.token; whoever may call could then approve',
      );
    }
    checkNamedGrants(gateway, grants, findings);
    return {
      gateway: await documentOf('policy'),
      defaultPolicy: (isWord ? undefined : await documentOf('defaultPolicy', ['allow', 'deny'])) ?? usual,
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

const grantsAtBroker = (mqtt: GatewayConfig['mqtt']): Set<string> =>
  new Set([...Object.values(mqtt?.clients ?? {}), ...(mqtt?.export ? [mqtt.export.grant] : [])]);

/** Every grant that `gateway.auth` names, and where. */
function grantsOfTokens(auth: GatewayConfig['auth']): { grant: string; path: JsonPath }[] {
  const named: { grant: string; path: JsonPath }[] = [];
  const add = (grant: string | undefined, path: JsonPath): void => {
    if (grant !== undefined) named.push({ grant, path: ['gateway', 'auth', ...path] });
  };
  for (const [index, { grant, grants }] of (auth?.issuers ?? []).entries()) {
    add(grant, ['issuers', index, 'grant']);
    for (const [at, rule] of grants.entries()) add(rule.grant, ['issuers', index, 'grants', at, 'grant']);
  }
  const { bridge } = auth ?? {};
  if (!bridge) return named;
  for (const [index, { grant }] of bridge.clients.entries()) add(grant, ['bridge', 'clients', index, 'grant']);
  const { login } = bridge;
  if (login === 'admin-token') add(bridge.grant, ['bridge', 'grant']);
  else {
    add(login.grant, ['bridge', 'login', 'grant']);
    for (const [at, rule] of login.grants.entries()) add(rule.grant, ['bridge', 'login', 'grants', at, 'grant']);
  }
  return named;
}

/** Clients on a broker, what is exported there, and holders of tokens belong to grants that there are. */
function checkNamedGrants(
  { mqtt, auth }: Pick<GatewayConfig, 'mqtt' | 'auth'>,
  grants: readonly GrantConfig[],
  findings: Findings,
): void {
  const known = new Set([LOCAL_PRINCIPAL, ...grants.map(({ name }) => name)]);
  const check = (grant: string, path: JsonPath): void => {
    if (known.has(grant)) return;
    findings.mistake(
      path,
      `found ${JSON.stringify(grant)}; allowed: ${[...known].map((name) => `"${name}"`).join(', ')}`,
    );
  };
  for (const [client, grant] of Object.entries(mqtt?.clients ?? {}))
    check(grant, ['gateway', 'mqtt', 'clients', client]);
  if (mqtt?.export) check(mqtt.export.grant, ['gateway', 'mqtt', 'export', 'grant']);
  for (const { grant, path } of grantsOfTokens(auth)) check(grant, path);
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
