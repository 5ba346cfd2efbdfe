/**
 * What becomes of calls in tests, and what must be true of it whatever the server.
 * @module
 */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ConnectContext, Target } from '../../src/core/adapter.ts';
import { SwitchboardError, toRpcError } from '../../src/core/errors.ts';
import type { CatalogKind, Entry, Reply, Upstream } from '../../src/core/upstream.ts';
import { isObject, type JsonObject } from '../../src/wire/jsonrpc.ts';
import type { FakeCall } from './call.ts';
import type { CaseRequest, CaseSetup } from './setup.ts';

/** The result of a call, as an object: the bytes parsed, or the value the adapter made. */
export function resultOf(reply: Reply): JsonObject {
  if ('raw' in reply && reply.raw) {
    const parsed: unknown = JSON.parse(reply.raw.toString('utf8'));
    if (!isObject(parsed)) throw new Error('The result is not an object.');
    return parsed;
  }
  if ('value' in reply) return reply.value;
  if ('inputRequired' in reply) return reply.inputRequired;
  throw new Error('The reply is empty.');
}

export const codeOf = (thrown: unknown): string | undefined =>
  thrown instanceof SwitchboardError ? thrown.code : undefined;

export interface Outcome {
  /** A thrown error, or a result that says `isError`. */
  failed: boolean;
  thrown: unknown;
  /** What the client would read. */
  text: string;
}

/** Makes a call and says what became of it. Never rejects. */
export async function outcomeOf(upstream: Upstream, { method, params }: CaseRequest, call: FakeCall): Promise<Outcome> {
  try {
    const result = resultOf(await upstream.request(method, params, call));
    return { failed: result.isError === true, thrown: undefined, text: JSON.stringify(result) };
  } catch (thrown) {
    return { failed: true, thrown, text: JSON.stringify(toRpcError(thrown)) };
  }
}

/** What connecting fails with. Rejects when it does not fail. */
export async function connectFailure({ adapter }: CaseSetup, context: ConnectContext): Promise<Error> {
  let upstream: Upstream;
  try {
    upstream = await adapter.connect(context);
  } catch (error) {
    return error as Error;
  }
  await upstream.close();
  throw new Error('It connected.');
}

/** The same kind of target, where something else is. */
export function elsewhere(target: Target, origin: string, command: string, args: string[] = []): Target {
  if (target.transport === 'stdio') return { ...target, command, args };
  const { pathname, search, protocol } = new URL(target.url);
  if (target.transport === 'mqtt') return { ...target, url: `${protocol}//${new URL(origin).host}` };
  return { ...target, url: `${origin}${pathname}${search}` };
}

const KEY_FIELD: Record<CatalogKind, string> = {
  tools: 'name',
  prompts: 'name',
  resources: 'uri',
  templates: 'uriTemplate',
  agents: 'name',
};

export function assertWellFormed(kind: CatalogKind, entry: Entry): void {
  assert.notEqual(entry.key, '');
  assert.equal(entry.value[KEY_FIELD[kind]], entry.key);
  if (entry.raw) assert.deepEqual(JSON.parse(entry.raw.toString('utf8')), entry.value);
  if (kind === 'tools') assert.equal(isObject(entry.value.inputSchema) && entry.value.inputSchema.type, 'object');
}

/** Errors go to clients and models: nothing in them may describe the machine the server runs on. */
export function assertNoLeak(text: string, { secrets = [], target }: CaseSetup): void {
  assert.doesNotMatch(text, /(?:\\n|\n)\s+at\s/, 'no stack');
  assert.doesNotMatch(text, /(?:file:\/\/|(?<![\w:/])\/(?:home|Users|usr|root|opt|var|tmp|work|etc)\/)/, 'no path');
  assert.doesNotMatch(text, /\b127\.0\.0\.1\b|\blocalhost:\d/, 'no address');
  const host = target.transport === 'stdio' ? [] : [new URL(target.url).host];
  for (const secret of [...secrets, ...host]) assert.ok(!text.includes(secret), `no ${secret}`);
}

/** Half of what a slow call takes at least, and longer than a busy machine keeps a process from its turn. */
const SOON_MS = 30_000;

/** That no slow call can have run to its end since `start`, on the clock of `performance.now()`. */
export function assertSoon(start: number): void {
  const taken = performance.now() - start;
  assert.ok(taken < SOON_MS, `it took ${Math.round(taken)} ms; allowed are ${SOON_MS}`);
}

/** Resolves when the condition holds; rejects when it still does not after `timeoutMs`. */
export async function until(what: string, holds: () => boolean | Promise<boolean>, timeoutMs = 20_000): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!(await holds())) {
    assert.ok(performance.now() < deadline, `${what}: not within ${timeoutMs} ms`);
    await sleep(20);
  }
}
