/**
 * `/admin/api/grants`: the grants of the configuration file, a key for a new one or another for one that is there, and their end: as
 * `switchboard grants` does it. A key is in the reply to the request that made it, and nowhere else.
 * @module
 */
import { anotherKey, expiryOf, keyIds, newGrant, type WrittenGrant, withoutGrant } from '../../auth/grant-edits.ts';
import { newKey } from '../../auth/key.ts';
import { grantsIn } from '../../config/written-grants.ts';
import { SwitchboardError } from '../../core/errors.ts';
import type { GrantConfig, PolicyConfig } from '../../policy/language/types.ts';
import { isObject, type JsonObject } from '../../wire/jsonrpc.ts';
import { parseJson } from '../messages.ts';
import { followedElsewhere } from './followed-file.ts';
import type { Elsewhere } from './replica-actions.ts';
import type { AdminRoute } from './route.ts';
import type { ConfigurationChange, ConfigurationFile, PageSources } from './sources.ts';

/** Listed at once. */
const MAX_GRANTS = 500;
const MAX_NAME = 128;
const MAX_SERVERS = 100;
/** How long the reply waits for the gateway to read its file again. */
const TAKEN_ON_MS = 4_000;

export function grantRoutes(pages: PageSources): AdminRoute[] {
  return [
    { method: 'GET', path: '/admin/api/grants', handle: async () => ({ json: await list(pages) }) },
    { method: 'POST', path: '/admin/api/grants', handle: async ({ body }) => ({ json: await add(pages, body) }) },
    {
      method: 'POST',
      path: '/admin/api/grants/revoke',
      handle: async ({ body }) => ({ json: await revoke(pages, body) }),
    },
  ];
}

export interface GrantJson {
  name: string;
  /** Globs; null: every server. */
  servers: readonly string[] | null;
  /** `own`, the path of a file, or null for the default policy. */
  policy: string | null;
  expires: string | null;
  expired: boolean;
  keyIds: string[];
}

export interface GrantsJson {
  /** Whether keys can be made here: the configuration is in a file. */
  editable: boolean;
  file: string | undefined;
  /** Whether clients need a key or a token already. */
  needsKey: boolean;
  grants: GrantJson[];
  total: number;
}

async function list({ configuration, policy, needsKey }: PageSources): Promise<GrantsJson> {
  const written = configuration === undefined ? {} : grantsIn(await configuration.read().catch(() => ''));
  return {
    editable: configuration !== undefined,
    file: configuration?.file,
    needsKey: needsKey(),
    grants: policy.grants.slice(0, MAX_GRANTS).map((grant) => shown(grant, written[grant.name])),
    total: policy.grants.length,
  };
}

function shown({ name, servers, policy, expiresAt, keys }: GrantConfig, written: unknown): GrantJson {
  const file = isObject(written) && typeof written.policy === 'string' ? written.policy : 'own';
  return {
    name,
    servers: servers ?? null,
    policy: policy === undefined ? null : file,
    expires: expiresAt === undefined ? null : new Date(expiresAt).toISOString(),
    expired: expiresAt !== undefined && expiresAt <= Date.now(),
    keyIds: keyIds(keys),
  };
}

export interface AddedJson {
  grant: string;
  /** Shown this once. */
  key: string;
  keyId: string;
  /** Keys that open nothing any more. */
  droppedKeyIds: string[];
  /** Whether the gateway has taken it on: the key opens it. */
  active: boolean;
  elsewhere: Elsewhere;
  /** What its default policy does with what no rule names; undefined where the grant has a policy of its own. */
  byDefault: 'allow' | 'deny' | undefined;
}

/** `{ "name": "ci", "servers": ["docs"], "expires": "30d", "rotate": true }`, all but the name as wanted. */
async function add(pages: PageSources, body: Buffer): Promise<AddedJson> {
  const given = objectIn(body);
  const name = nameIn(given);
  const wanted = wantedIn(given);
  const rotates = given.rotate === true;
  const made = newKey();
  let droppedKeyIds: string[] = [];
  const { after, elsewhere } = await edit(pages, (grants) => {
    const isThere = Object.hasOwn(grants, name);
    if (isThere && !rotates) throw refuse(`There is a grant of the name ${name} already. Give it another key instead.`);
    if (!isThere && rotates) throw unknownGrant(name);
    if (!isThere) return newGrant(name, made.stored, wanted);
    const another = anotherKey(name, grants[name], made.stored, wanted);
    ({ droppedKeyIds } = another);
    return another.changes;
  });
  const grant = after.grants.find((each) => each.name === name);
  return {
    grant: name,
    key: made.key,
    keyId: made.id,
    droppedKeyIds,
    active: await takenOn(pages, () => pages.policy.keys.verify(made.key) === name),
    elsewhere: await elsewhere,
    byDefault: grant?.policy === undefined ? after.defaultPolicy.default : undefined,
  };
}

export interface RevokedJson {
  grant: string;
  revoked: true;
  keyIds: string[];
  active: boolean;
  elsewhere: Elsewhere;
  wasLast: boolean;
}

/** `{ "name": "ci" }`. Sessions and streams of its clients end. */
async function revoke(pages: PageSources, body: Buffer): Promise<RevokedJson> {
  const name = nameIn(objectIn(body));
  const ended = keyIds(pages.policy.grants.find((grant) => grant.name === name)?.keys ?? []);
  const { after, elsewhere } = await edit(pages, (grants) => {
    if (!Object.hasOwn(grants, name)) throw unknownGrant(name);
    return withoutGrant(name, grants);
  });
  return {
    grant: name,
    revoked: true,
    keyIds: ended,
    active: await takenOn(pages, () => pages.policy.grants.every((grant) => grant.name !== name)),
    elsewhere: await elsewhere,
    wasLast: after.grants.length === 0,
  };
}

/** Writes the file where all of it stays right. Gives the policy it has then, and what other replicas will make of it. */
async function edit(
  pages: PageSources,
  changes: (grants: JsonObject) => ConfigurationChange[],
): Promise<{ after: PolicyConfig; elsewhere: Promise<Elsewhere> }> {
  const file = requireFile(pages.configuration);
  const text = await file.read();
  const after = file.edited(text, changes(grantsIn(text)));
  const policy = await file.check(after);
  await file.replace(text, after);
  return { after: policy, elsewhere: followedElsewhere(pages, after) };
}

/** Whether it has come true within a few seconds: the gateway watches its file. */
async function takenOn({ policy }: PageSources, isSo: () => boolean): Promise<boolean> {
  if (isSo()) return true;
  const { promise, resolve } = Promise.withResolvers<void>();
  const stop = policy.onChanged(() => isSo() && resolve());
  const timer = setTimeout(resolve, TAKEN_ON_MS);
  await promise;
  clearTimeout(timer);
  stop();
  return isSo();
}

function requireFile(configuration: ConfigurationFile | undefined): ConfigurationFile {
  if (configuration) return configuration;
  throw new SwitchboardError(
    'SWB_NOT_SUPPORTED',
    "Grants are kept in the configuration file, and this gateway's configuration is in none.",
  );
}

function objectIn(body: Buffer): JsonObject {
  const given: unknown = parseJson(body);
  if (!isObject(given)) throw refuse('The body must be a JSON object.');
  return given;
}

function nameIn({ name }: JsonObject): string {
  if (typeof name === 'string' && name !== '' && name.length <= MAX_NAME) return name;
  throw refuse(`"name" must be a text of 1 to ${MAX_NAME} characters.`);
}

function wantedIn({ servers, expires }: JsonObject): WrittenGrant {
  const wanted: WrittenGrant = {};
  if (servers !== undefined) {
    const isList = Array.isArray(servers) && servers.length <= MAX_SERVERS;
    if (!isList || !servers.every((glob) => typeof glob === 'string' && glob !== '')) {
      throw refuse(`"servers" must be a list of ${MAX_SERVERS} names or globs at most.`);
    }
    if (servers.length > 0) wanted.servers = servers as string[];
  }
  if (expires !== undefined && expires !== '') {
    const read = expiryOf(String(expires));
    if ('problem' in read) {
      throw refuse(
        read.problem === 'past'
          ? 'This end is past already.'
          : 'An end is a date such as 2027-01-31, or a time such as 30d.',
      );
    }
    wanted.expires = read.expires;
  }
  return wanted;
}

const unknownGrant = (name: string): SwitchboardError => refuse(`The file has no grant of the name ${name}.`);

const refuse = (message: string): SwitchboardError => new SwitchboardError('SWB_INVALID_REQUEST', message);
