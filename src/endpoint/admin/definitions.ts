/**
 * `/admin/api/definitions`: how what servers say of themselves differs from the lock file, and acceptance of one difference at a time.
 *
 * What is accepted holds in the other replicas too, where their servers say the same: one whose lock file is another one writes its own.
 * @module
 */
import { SwitchboardError } from '../../core/errors.ts';
import { sha256 } from '../../core/hash.ts';
import type { Member } from '../../federation/types.ts';
import { compareServer, type LockChange } from '../../policy/pinning/differences.ts';
import { type LockDocument, readLockFile, writeLockFile } from '../../policy/pinning/lock-file.ts';
import { LOCKED_KINDS, type LockedKind, type Pin, pinServer, type ServerPins } from '../../policy/pinning/pins.ts';
import { isObject, type JsonObject } from '../../wire/jsonrpc.ts';
import { parseJson } from '../messages.ts';
import type { Elsewhere } from './replica-actions.ts';
import type { AdminRoute } from './route.ts';
import type { PageSources } from './sources.ts';

/** Of more, only the number is shown: a person who accepts that many one by one does not read them. */
const MAX_SHOWN = 500;

const ACTION = 'accept';

export function definitionRoutes(pages: PageSources): AdminRoute[] {
  const { lockFile, actions } = pages;
  /** Two acceptances write one after the other. */
  let writing: Promise<unknown> = Promise.resolve();
  const inTurn = (write: (file: string) => Promise<void>): Promise<void> => {
    if (lockFile === undefined) throw new SwitchboardError('SWB_NOT_SUPPORTED', 'There is no place for a lock file.');
    const written = writing.then(() => write(lockFile));
    writing = written.catch(() => {});
    return written;
  };
  actions.on(ACTION, async (message) => {
    await inTurn((file) => acceptAlike(pages, file, message));
    return {};
  });
  return [
    { method: 'GET', path: '/admin/api/definitions', handle: async () => ({ json: await compared(pages) }) },
    {
      method: 'POST',
      path: '/admin/api/definitions/accept',
      async handle({ body }) {
        const given: unknown = parseJson(body);
        const { server, kind, key, hash } = isObject(given) ? given : {};
        if (typeof server !== 'string') throw new SwitchboardError('SWB_INVALID_REQUEST', '"server" must be a name.');
        const change = typeof kind === 'string' && typeof key === 'string' ? { kind, key, hash } : undefined;
        let accepted = '';
        await inTurn(async (file) => {
          accepted = digestOf(await accept(pages, file, server, change));
        });
        const elsewhere = await actions.elsewhere(ACTION, { server, ...(change ? { change } : {}), accepted });
        return { json: { ...(await compared(pages)), elsewhere } satisfies Definitions };
      },
    },
  ];
}

export interface DefinitionChange extends LockChange {
  /** Of what the server says now; absent where it says it no more. An acceptance names it, so that it is of what was read. */
  hash?: string | undefined;
}

export interface Definitions {
  mode: string;
  file: string | undefined;
  /** Whether there is a lock file. */
  exists: boolean;
  changes: DefinitionChange[];
  total: number;
  /** Not ready: they are not compared. */
  away: string[];
  /** After an acceptance: what became of it in the other replicas. */
  elsewhere?: Elsewhere;
}

async function compared({ federation, lockFile, policy }: PageSources): Promise<Definitions> {
  const before = lockFile === undefined ? undefined : await readLockFile(lockFile);
  const changes: DefinitionChange[] = [];
  const away: string[] = [];
  for (const member of federation.members()) {
    if (member.builtin || member.config.disabled) continue;
    const pins = pinsOf(member);
    if (!pins) away.push(member.name);
    else {
      for (const change of compareServer(member.name, before?.get(member.name), pins)) {
        changes.push({ ...change, hash: pinAt(pins, change.kind, change.key)?.hash });
      }
    }
  }
  return {
    mode: policy.lockMode,
    file: lockFile,
    exists: before !== undefined,
    changes: changes.slice(0, MAX_SHOWN),
    total: changes.length,
    away,
  };
}

/** A failed list looks like an empty one, so only ready servers are compared. */
function pinsOf(member: Member): ServerPins | undefined {
  const { upstream, state } = member;
  if (state !== 'ready' || upstream === undefined) return undefined;
  return pinServer((kind) => member.catalog(kind).entries, upstream.instructions);
}

const pinAt = (pins: ServerPins | undefined, kind: string, key: string): Pin | undefined =>
  kind === 'instructions' ? pins?.instructions : isKind(kind) ? pins?.items[kind].get(key) : undefined;

const isKind = (kind: string): kind is LockedKind => (LOCKED_KINDS as readonly string[]).includes(kind);

interface Accepted {
  kind: string;
  key: string;
  hash: unknown;
}

/** One difference, or everything of the server without one. Gives what the server says now. */
async function accept(
  { federation, policy }: PageSources,
  file: string,
  server: string,
  change: Accepted | undefined,
): Promise<ServerPins> {
  const now = pinsNow(federation, server);
  const document = new Map(((await readLockFile(file)) ?? new Map()) as LockDocument);
  document.set(server, change ? withChange(document.get(server), now, change) : now);
  await writeLockFile(file, document);
  await policy.rereadLock();
  return now;
}

function pinsNow(federation: PageSources['federation'], server: string): ServerPins {
  const member = federation.member(server);
  const now = member && !member.builtin ? pinsOf(member) : undefined;
  if (now) return now;
  throw new SwitchboardError('SWB_UPSTREAM_UNAVAILABLE', 'The server is not ready, so what it says now is not known.');
}

/** What an operator has accepted at another replica. Never anything else: the server has to say the same here. */
async function acceptAlike(pages: PageSources, file: string, { server, change, accepted }: JsonObject): Promise<void> {
  const name = String(server);
  const one = isObject(change) ? { kind: String(change.kind), key: String(change.key), hash: change.hash } : undefined;
  const locked = (await readLockFile(file))?.get(name);
  const isWritten = one ? pinAt(locked, one.kind, one.key)?.hash === one.hash : locked && digestOf(locked) === accepted;
  // One lock file for several replicas has it already.
  if (isWritten) return pages.policy.rereadLock();
  if (!one && digestOf(pinsNow(pages.federation, name)) !== accepted) throw saysSomethingElse();
  await accept(pages, file, name, one);
}

/** Of all that a server says of itself. */
function digestOf({ instructions, items }: ServerPins): string {
  const hashes = (kind: LockedKind): string[][] => [...items[kind]].map(([key, { hash }]) => [key, hash]).sort();
  return sha256(JSON.stringify([instructions?.hash ?? null, ...LOCKED_KINDS.map(hashes)]));
}

const NOTHING: ServerPins = {
  instructions: undefined,
  items: { tools: new Map(), prompts: new Map(), templates: new Map(), agents: new Map() },
};

function withChange(before: ServerPins = NOTHING, now: ServerPins, { kind, key, hash }: Accepted): ServerPins {
  const pin = pinAt(now, kind, key);
  if (pin?.hash !== (hash ?? undefined)) throw saysSomethingElse();
  if (kind === 'instructions') return { ...before, instructions: pin };
  if (!isKind(kind))
    throw new SwitchboardError('SWB_INVALID_REQUEST', `"kind" is one of: instructions, ${LOCKED_KINDS.join(', ')}.`);
  const entries = new Map(before.items[kind]);
  if (pin === undefined) entries.delete(key);
  else entries.set(key, pin);
  return { ...before, items: { ...before.items, [kind]: entries } };
}

const saysSomethingElse = (): SwitchboardError =>
  new SwitchboardError('SWB_INVALID_REQUEST', 'The server says something else by now. Look at it again.');
