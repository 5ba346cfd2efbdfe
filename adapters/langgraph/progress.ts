/**
 * What an agent says while it runs, as progress of the call: pieces of text as they are made, and what the graph's own
 * writer sends.
 * @module
 */

import type { Call } from '../../src/core/call.ts';
import { shorten } from '../../src/core/text.ts';
import { isObject, type JsonObject } from '../../src/wire/jsonrpc.ts';
import { type JoinerPlace, TextJoiner } from '../shared/text-joiner.ts';
import { contentOf, isAgentMessage } from './result.ts';

const MAX_CUSTOM = 2_000;

export type PieceKind = 'messages' | 'custom' | 'updates';

export interface Pieces {
  /** An event of the stream. `path` is the subgraph it is of. */
  piece(kind: PieceKind, data: unknown, path: string | undefined): void;
  /** The messages so far are finished. */
  ended(): void;
  /** Where it is in what is said; undefined where nothing else could go on from here. */
  readonly place: SpokenPlace | undefined;
}

/** How far a call has come in what its agent says. */
export interface SpokenPlace extends JoinerPlace {
  /** How many pieces were sent: the number of the last progress. */
  sent: number;
}

/** One for the whole call: progress must increase over all its runs. `from`: where an earlier process was in it. */
export function progressOf(call: Call, from?: SpokenPlace): Pieces {
  let progress = from?.sent ?? 0;
  const joiner = new TextJoiner((message) => {
    progress++;
    call.notify({ jsonrpc: '2.0', method: 'notifications/progress', params: { progress, message } });
  }, from);
  return {
    piece(kind, data, path) {
      if (kind === 'messages') sayPiece(joiner, data);
      else joiner.line(kind === 'custom' ? customText(data) : updateText(data, path));
    },
    ended: () => joiner.ended(),
    get place() {
      const { place } = joiner;
      return place && { ...place, sent: progress };
    },
  };
}

/** Events of subgraphs are named `mode|namespace`. */
export function nameOf(event: string): { mode: string; path: string | undefined } {
  const bar = event.indexOf('|');
  return bar < 0 ? { mode: event, path: undefined } : { mode: event.slice(0, bar), path: event.slice(bar + 1) };
}

/** `messages` events are `[chunk, metadata]`. Tool results and the person's own words come the same way. */
function sayPiece(joiner: TextJoiner, data: unknown): void {
  const [chunk, metadata]: unknown[] = Array.isArray(data) ? data : [];
  if (isAgentMessage(chunk)) joiner.piece(idOf(chunk), contentOf(chunk), taskOf(metadata));
}

/** The task of the graph itself, whatever subgraphs it runs: `node:uuid|inner:uuid`. */
function taskOf(metadata: unknown): string {
  const path = isObject(metadata) ? (metadata.langgraph_checkpoint_ns ?? metadata.checkpoint_ns) : undefined;
  return typeof path === 'string' ? (path.split('|', 1)[0] as string) : '';
}

function idOf(chunk: JsonObject): string {
  const fields = isObject(chunk.kwargs) ? chunk.kwargs : chunk;
  return typeof fields.id === 'string' ? fields.id : '';
}

/** Names the nodes of an `updates` event. What they returned is the graph's state, and no progress. */
function updateText(data: unknown, path: string | undefined): string {
  if (!isObject(data)) return '';
  const nodes = Object.keys(data).filter((node) => node !== '__interrupt__');
  if (nodes.length === 0) return '';
  const where = path === undefined ? '' : `${path.replace(/:[\w-]+/g, '').replaceAll('|', '/')}/`;
  return shorten(`[${where}${nodes.join(', ')}] done`, 200);
}

function customText(data: unknown): string {
  if (data === undefined || data === null) return '';
  if (isObject(data) && typeof data.message === 'string') return data.message.slice(0, MAX_CUSTOM);
  const text = typeof data === 'string' ? data : JSON.stringify(data);
  return shorten(text, MAX_CUSTOM);
}
