/**
 * The official clients, of both SDKs, over every transport they have, under one face: what a test does with one it does
 * with all.
 * @module
 */
import { sdkV1 } from './client-v1.ts';
import { sdkV2 } from './client-v2.ts';

export interface ToolResult {
  content: { type: string; text?: string; [member: string]: unknown }[];
  structuredContent?: Record<string, unknown>;
  isError?: boolean;
  _meta?: Record<string, unknown>;
}

export interface CallOptions {
  onProgress?: (progress: { progress: number; total?: number; message?: string }) => void;
  signal?: AbortSignal;
}

/** Notifications a client heard, by method. */
export type Heard = Record<string, unknown>[];

export interface TestClient {
  readonly version: string;
  readonly capabilities: Record<string, unknown>;
  /** Names of all pages. */
  tools(): Promise<string[]>;
  call(name: string, args?: Record<string, unknown>, options?: CallOptions): Promise<ToolResult>;
  /** Any request of the protocol; gives the result as it came. */
  request(method: string, params?: Record<string, unknown>): Promise<Record<string, unknown>>;
  /** Params of the notifications of this method so far. */
  heard(method: string): Heard;
  /** Hears of list changes and of these resources, however this client's revision does that. */
  listen(resources?: readonly string[]): Promise<void>;
  close(): Promise<void>;
}

/** What the person in front of the client does. What is left out is not declared. */
export interface Person {
  elicit?: (params: Record<string, unknown>) => Record<string, unknown> | Promise<Record<string, unknown>>;
  sample?: (params: Record<string, unknown>) => Record<string, unknown> | Promise<Record<string, unknown>>;
  roots?: { uri: string; name?: string }[];
}

export type Way =
  | { http: string | URL; headers?: Record<string, string> }
  | { sse: string | URL }
  | { stdio: { command: string; args: string[] } };

export type ClientKind = 'v1' | 'v2-auto' | 'v2-legacy' | 'v2-modern';

export function connectClient(kind: ClientKind, way: Way, person: Person = {}): Promise<TestClient> {
  switch (kind) {
    case 'v1':
      return sdkV1(way, person);
    case 'v2-auto':
      return sdkV2('auto', way, person);
    case 'v2-legacy':
      return sdkV2('legacy', way, person);
    case 'v2-modern':
      return sdkV2({ pin: '2026-07-28' }, way, person);
  }
}

/** The text of a result's first block. */
export const textOf = ({ content }: ToolResult): string => content[0]?.text ?? '';

/** Clients a test opened; each is closed at its end, whatever happens. */
export class Clients {
  readonly #open: TestClient[] = [];

  async connect(kind: ClientKind, way: Way, person?: Person): Promise<TestClient> {
    const client = await connectClient(kind, way, person);
    this.#open.push(client);
    return client;
  }

  async close(): Promise<void> {
    await Promise.all(this.#open.splice(0).map((client) => client.close()));
  }
}
