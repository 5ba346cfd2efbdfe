/**
 * What becomes of calls in tests, and what must be true of it whatever the server.
 * @module
 */
import { expect } from 'vitest';
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
  const { pathname, search } = new URL(target.url);
  return { ...target, url: `${origin}${pathname}${search}` };
}

const KEY_FIELD: Record<CatalogKind, string> = {
  tools: 'name',
  prompts: 'name',
  resources: 'uri',
  templates: 'uriTemplate',
  agents: 'name',
};

export function expectWellFormed(kind: CatalogKind, entry: Entry): void {
  expect(entry.key).not.toBe('');
  expect(entry.value[KEY_FIELD[kind]]).toBe(entry.key);
  if (entry.raw) expect(JSON.parse(entry.raw.toString('utf8'))).toEqual(entry.value);
  if (kind === 'tools') expect(entry.value.inputSchema).toMatchObject({ type: 'object' });
}

/** Errors go to clients and models: nothing in them may describe the machine the server runs on. */
export function expectNoLeak(text: string, { secrets = [], target }: CaseSetup): void {
  expect(text, 'no stack').not.toMatch(/(?:\\n|\n)\s+at\s/);
  expect(text, 'no path').not.toMatch(/(?:file:\/\/|(?<![\w:/])\/(?:home|Users|usr|root|opt|var|tmp|work|etc)\/)/);
  expect(text, 'no address').not.toMatch(/\b127\.0\.0\.1\b|\blocalhost:\d/);
  if (target.transport !== 'stdio') expect(text).not.toContain(new URL(target.url).host);
  for (const secret of secrets) expect(text).not.toContain(secret);
}
