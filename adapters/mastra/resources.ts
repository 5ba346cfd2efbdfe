/**
 * Threads of a Mastra server's memory as resources.
 * @module
 */
import type { Call } from '../../src/core/call.ts';
import { SwitchboardError } from '../../src/core/errors.ts';
import type { Entry } from '../../src/core/upstream.ts';
import type { JsonObject } from '../../src/wire/jsonrpc.ts';
import type { MastraApi } from './api.ts';
import { readThread } from './conversations.ts';

const URI = /^mastra:\/\/threads\/([^/?#]+)$/;
const TEMPLATE = {
  uriTemplate: 'mastra://threads/{threadId}',
  name: 'thread',
  title: 'A conversation',
  description: 'What was said in a thread of yours: the last 100 messages.',
  mimeType: 'application/json',
};

export const templateEntries = (): Entry[] => [{ key: TEMPLATE.uriTemplate, value: { ...TEMPLATE } }];

export async function readResource(api: MastraApi, { uri }: JsonObject, call: Call): Promise<JsonObject> {
  const [, id] = (typeof uri === 'string' && URI.exec(uri)) || [];
  const threadId = id === undefined ? undefined : decode(id);
  if (threadId === undefined) {
    throw new SwitchboardError(
      'SWB_UNKNOWN_RESOURCE',
      `Server '${api.name}' has no resource '${String(uri).slice(0, 200)}'.`,
    );
  }
  const thread = await readThread(api, { threadId, limit: 100 }, call);
  return { contents: [{ uri, mimeType: TEMPLATE.mimeType, text: JSON.stringify(thread, undefined, 2) }] };
}

function decode(part: string): string | undefined {
  try {
    return decodeURIComponent(part);
  } catch {
    return undefined;
  }
}
