/**
 * Thread ids. LangGraph accepts uuids only (anything else is a 400, measured); clients may use any name.
 * @module
 */
import { createHash, randomUUID } from 'node:crypto';
import { SwitchboardError } from '../../src/core/errors.ts';

/** Namespace of the uuids made of thread names. Never change it: threads would be lost. */
const NAMESPACE = Buffer.from('5d2b8a9e4c714f0f9a3e6b1c7d8e2f40', 'hex');
const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const MAX_ID = 256;

export interface ThreadId {
  /** The id the client knows: the one it gave, or the new thread's. */
  client: string;
  /** The id the server knows. */
  server: string;
  /** Where the id comes from: a new thread, a name that the client chose, or the uuid of a thread. */
  origin: 'new' | 'name' | 'uuid';
  /** The client asked for a thread. One that it did not ask for is removed when nothing waits in it. */
  wanted: boolean;
}

/** As `threadId`: begin a conversation, and return its id. */
export const NEW_THREAD = 'new';

/**
 * The thread of a call. A uuid is used unchanged; any other id becomes a stable uuid (version 5) of the caller's principal
 * and that id, so that two principals who both say `main` do not meet in one thread. `new` is a new thread; without an id
 * one is made for the run alone. Such a
 * uuid is no secret: what keeps a grant's threads its own is `owners.ts`.
 */
export function threadFor(given: unknown, principal: string): ThreadId {
  if (given === undefined || given === NEW_THREAD) {
    const id = randomUUID();
    return { client: id, server: id, origin: 'new', wanted: given === NEW_THREAD };
  }
  if (typeof given !== 'string' || given === '' || given.length > MAX_ID) {
    throw new SwitchboardError('SWB_INVALID_PARAMS', `threadId must be a string of 1 to ${MAX_ID} characters.`);
  }
  if (UUID.test(given)) return { client: given, server: given.toLowerCase(), origin: 'uuid', wanted: true };
  return { client: given, server: uuidV5(`${principal}\0${given}`), origin: 'name', wanted: true };
}

/** RFC 9562, section 5.5. */
function uuidV5(name: string): string {
  const bytes = createHash('sha1').update(NAMESPACE).update(name, 'utf8').digest().subarray(0, 16);
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x50, 6);
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8);
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}
