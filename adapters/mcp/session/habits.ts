/**
 * What servers turn out not to take, learned once and remembered for a day: client capabilities with members they do
 * not know (Java SDK before 2.0: `sampling` and, up to 0.17, `elicitation` must be empty), and a second session (one
 * transport of the TypeScript SDK for all clients, the single server object of the Swift SDK).
 * @module
 */
import type { ServerHabits } from '../../../src/core/adapter.ts';
import { RPC, SwitchboardError, UpstreamError } from '../../../src/core/errors.ts';
import { evidenceOf } from '../../../src/core/evidence.ts';
import { isObject, type JsonObject } from '../../../src/wire/jsonrpc.ts';

/** The habits of one server, shared by all sessions with it. */
export class Habits {
  #known: ServerHabits;
  readonly #learned: (habits: ServerHabits) => void;

  constructor(known: ServerHabits = {}, learned: (habits: ServerHabits) => void = () => {}) {
    this.#known = known;
    this.#learned = learned;
  }

  get declares(): NonNullable<ServerHabits['declares']> {
    return this.#known.declares ?? 'everything';
  }

  /** Only one session can be opened, which callers share. */
  get oneSession(): boolean {
    return this.#known.oneSession === true;
  }

  learn(habits: ServerHabits): void {
    this.#known = { ...this.#known, ...habits };
    this.#learned(this.#known);
  }
}

/** From all that is declared down to nothing: the forms of the revisions that strict servers were written for. */
const DECLARATIONS: readonly [
  name: NonNullable<ServerHabits['declares']>,
  reduce: (declared: JsonObject) => JsonObject,
][] = [
  ['everything', (declared) => declared],
  // 2025-11-25, without members of `sampling` and without tasks and extensions.
  ['modes', (declared) => pick(declared, { roots: ['listChanged'], sampling: [], elicitation: ['form', 'url'] })],
  // 2025-06-18.
  ['features', (declared) => pick(declared, { roots: ['listChanged'], sampling: [], elicitation: [] })],
  ['nothing', () => ({})],
];

/** What to declare, most first: each is less than the one before it. */
export function* declarations(
  declared: JsonObject,
  from: NonNullable<ServerHabits['declares']>,
): Generator<[name: NonNullable<ServerHabits['declares']>, capabilities: JsonObject]> {
  let before: string | undefined;
  for (const [name, reduce] of DECLARATIONS.slice(DECLARATIONS.findIndex(([each]) => each === from))) {
    const capabilities = reduce(declared);
    const text = JSON.stringify(capabilities);
    if (text !== before) yield [name, capabilities];
    before = text;
  }
}

function pick(declared: JsonObject, features: Readonly<Record<string, readonly string[]>>): JsonObject {
  const picked: JsonObject = {};
  for (const [feature, members] of Object.entries(features)) {
    const value = declared[feature];
    if (!isObject(value)) continue;
    picked[feature] = Object.fromEntries(members.filter((name) => name in value).map((name) => [name, value[name]]));
  }
  return picked;
}

/**
 * Whether a refusal of `initialize` may be about the capabilities it declares. Servers name the member they do not know
 * or say nothing at all, so that everything counts but refusals that are known to mean something else.
 */
export function mayRefuseCapabilities(error: unknown): boolean {
  if (refusesSecondSession(error) || isModernError(error)) return false;
  if (error instanceof UpstreamError) return error.rpcCode !== RPC.methodNotFound;
  if (!(error instanceof SwitchboardError) || error.code !== 'SWB_UPSTREAM_HTTP') return false;
  const { status } = error.data;
  if (status === 400 || status === 422) return true;
  return status === 500 && /unrecognized|unknown (?:field|property|member)|capabilit|deserializ/i.test(wordsOf(error));
}

/** Whether a server refuses `initialize` because it can be opened only once. */
export function refusesSecondSession(error: unknown): boolean {
  return /\balready (?:been )?(?:initiali[sz]ed|connected)\b|\bonly (?:one|a single) (?:session|client|connection)\b/i.test(
    wordsOf(error),
  );
}

/** Errors that only modern servers send. */
export const isModernError = (error: unknown): boolean =>
  error instanceof UpstreamError &&
  (error.rpcCode === RPC.unsupportedProtocolVersion ||
    error.rpcCode === RPC.headerMismatch ||
    error.rpcCode === RPC.missingClientCapability);

/** What the server says about its refusal; never shown as it is. */
function wordsOf(error: unknown): string {
  if (error instanceof UpstreamError) return error.message;
  return evidenceOf(error)?.beginning ?? '';
}
