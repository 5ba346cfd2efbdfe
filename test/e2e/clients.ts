/**
 * The official clients, of both SDKs, over every transport they have, under one face: what a test does with one it does
 * with all.
 * @module
 */
import type { Person, TestClient, ToolResult, Way } from './client.ts';
import { sdkV1 } from './client-v1.ts';
import { sdkV2 } from './client-v2.ts';

export type { Person, TestClient, ToolResult, Way } from './client.ts';

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
