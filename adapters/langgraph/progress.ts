/**
 * What an agent says while it runs, as progress of the call: pieces of text as they are made, and what the graph's own
 * writer sends.
 * @module
 */

import type { Call } from '../../src/core/call.ts';
import { shorten } from '../../src/core/text.ts';
import { isObject } from '../../src/wire/jsonrpc.ts';
import { contentOf, isAgentMessage } from './result.ts';

const MAX_CUSTOM = 2_000;

/** One count for the whole call: progress must increase over all its runs. */
export function progressOf(call: Call): (kind: 'messages' | 'custom', data: unknown) => void {
  let progress = 0;
  return (kind, data) => {
    const message = kind === 'messages' ? pieceOf(data) : customText(data);
    if (message === '') return;
    progress++;
    call.notify({ jsonrpc: '2.0', method: 'notifications/progress', params: { progress, message } });
  };
}

/** `messages` events are `[chunk, metadata]`. Tool results and the person's own words come the same way. */
function pieceOf(data: unknown): string {
  const chunk: unknown = Array.isArray(data) ? data[0] : undefined;
  return isAgentMessage(chunk) ? contentOf(chunk) : '';
}

function customText(data: unknown): string {
  if (data === undefined || data === null) return '';
  if (isObject(data) && typeof data.message === 'string') return data.message.slice(0, MAX_CUSTOM);
  const text = typeof data === 'string' ? data : JSON.stringify(data);
  return shorten(text, MAX_CUSTOM);
}
