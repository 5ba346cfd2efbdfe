/**
 * The part of a client's capabilities that a server's lists may depend on, in one form: clients with the same features are
 * offered the same.
 * @module
 */
import { isObject, type JsonObject } from '../wire/jsonrpc.ts';

export interface ClientFeatures {
  /** The same for the same features. */
  readonly key: string;
  /** As a client declares them, without anything else the client said. */
  readonly capabilities: JsonObject;
}

const UI = 'io.modelcontextprotocol/ui';
const UI_SETTINGS = { mimeTypes: ['text/html;profile=mcp-app'] };

const known = new WeakMap<JsonObject, ClientFeatures>();

/** Remembered by the object, which a session keeps. */
export function featuresOf(capabilities: JsonObject): ClientFeatures {
  let features = known.get(capabilities);
  if (!features) {
    features = normalised(capabilities);
    known.set(capabilities, features);
  }
  return features;
}

function normalised({ roots, sampling, elicitation, tasks, extensions }: JsonObject): ClientFeatures {
  const capabilities: JsonObject = {};
  const words: string[] = [];
  if (isObject(roots)) {
    words.push('roots');
    capabilities.roots = {};
  }
  if (isObject(sampling)) {
    words.push('sampling');
    capabilities.sampling = picked(sampling, ['tools', 'context'], words);
  }
  if (isObject(elicitation)) {
    words.push('elicitation');
    // An empty object means form mode: revisions before 2025-11-25 knew no other.
    const modes = isObject(elicitation.url) ? elicitation : { ...elicitation, form: {} };
    capabilities.elicitation = picked(modes, ['form', 'url'], words);
  }
  if (isObject(tasks)) {
    words.push('tasks');
    const own = picked(tasks, ['list', 'cancel'], words);
    const requests: JsonObject = {};
    for (const [area, request] of [
      ['sampling', 'createMessage'],
      ['elicitation', 'create'],
    ] as const) {
      const declared = isObject(tasks.requests) ? tasks.requests[area] : undefined;
      if (!isObject(declared) || !isObject(declared[request])) continue;
      words.push(`tasks.${area}`);
      requests[area] = { [request]: {} };
    }
    capabilities.tasks = Object.keys(requests).length > 0 ? { ...own, requests } : own;
  }
  if (isObject(extensions) && isObject(extensions[UI])) {
    words.push('ui');
    capabilities.extensions = { [UI]: UI_SETTINGS };
  }
  return { key: words.join(' '), capabilities };
}

function picked(declared: JsonObject, members: readonly string[], words: string[]): JsonObject {
  const own: JsonObject = {};
  for (const member of members) {
    if (!isObject(declared[member])) continue;
    words.push(member);
    own[member] = {};
  }
  return own;
}
