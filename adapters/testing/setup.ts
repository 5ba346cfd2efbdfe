/**
 * What a suite says of its server, so that the shared cases can be run against it.
 * @module
 */

import type { Adapter, Target } from '../../src/core/adapter.ts';
import type { CatalogKind } from '../../src/core/upstream.ts';
import type { JsonObject } from '../../src/wire/jsonrpc.ts';
import type { FakeCallOptions } from './call.ts';
import type { ContextOverrides } from './context.ts';

export interface CaseRequest {
  method: string;
  params: JsonObject;
}

export interface CaseSetup {
  adapter: Adapter;
  target: Target;
  /** What the connect context has besides its defaults: isolation, limits, `known`. */
  context?: ContextOverrides;
  /** What every call has besides its defaults: the caller's era and capabilities. */
  call?: FakeCallOptions;
  /** For each kind the server offers, keys that must be listed. Kinds left out must be empty. */
  offers: Partial<Record<CatalogKind, readonly string[]>>;
  /** A call that succeeds, and whose result holds `marker`. */
  echo(marker: string): CaseRequest;
  /** A call that the upstream answers with an error (a JSON-RPC error or an `isError` result) that says `says`. */
  failure: CaseRequest & { says: RegExp };
  /** Texts that are in the server (credentials, prompts, folders) and must be in no error. */
  secrets?: readonly string[];
  /** A call to something that does not exist. */
  unknown: CaseRequest;
  /** A call that runs for much longer than a test, a minute at least, and how the server tells what becomes of it. */
  slow: CaseRequest & {
    /** Calls that have started so far. */
    started(): number | Promise<number>;
    /** Calls the server itself saw cancelled so far. Left out where the protocol has no way to cancel one. */
    cancelled?(): number | Promise<number>;
  };
  /** Ends the server the hard way, as a crash would: connections reset, processes killed. */
  kill(): Promise<void>;
  /** Ends whatever is left of the fixture. Also called after `kill`. */
  stop(): Promise<void>;
  /** What the upstream has left running for the gateway: sessions, streams, children. */
  leftovers?(): number | Promise<number>;
}

/** Cases for what not every server can be made to do; those named are required, the others not registered. */
export interface OptionalCases {
  /** A call that ends by itself after several reports of progress (`_meta.progressToken` or `stream` set). */
  progress?: CaseRequest & { atLeast: number };
  /** A call whose reply is over `maxReplyBytes`. */
  oversize?: CaseRequest & { maxReplyBytes: number };
  /** Calls that succeed although they are unusual, such as 1 MB of input or an image; `says` is in the result. */
  accepts?: Record<string, CaseRequest & { says: RegExp }>;
  /** A call that cannot run beside `slow` with these params, and is an error that says `says` meanwhile. */
  busy?: { slow: JsonObject; call: CaseRequest; says: RegExp };
  /** The server stops a run when its connection is cut: true for HTTP servers that are reached directly. */
  cut?: boolean;
}
