/**
 * Agent cards of A2A: where they are found, and what of them the gateway uses. A card of 1.0 lists interfaces
 * (`supportedInterfaces`); one of 0.3 has a `url` with its `preferredTransport`, and `additionalInterfaces`.
 * @module
 */
import { SwitchboardError } from '../../src/core/errors.ts';
import { head } from '../../src/core/text.ts';
import { isObject, type JsonObject } from '../../src/wire/jsonrpc.ts';

export type Binding = 'JSONRPC' | 'HTTP+JSON';

/** The revisions of A2A that are spoken. The first is sent in `A2A-Version` when a card is asked for. */
export type A2aVersion = '1.0' | '0.3';

/** One way to talk to the agent. */
export interface AgentInterface {
  url: URL;
  binding: Binding;
  version: A2aVersion;
  /** A path segment of HTTP+JSON, and a parameter of JSON-RPC, for servers with several tenants. */
  tenant: string | undefined;
}

export interface AgentCard {
  /** Unique and readable: made of the card's name. */
  key: string;
  name: string;
  description: string | undefined;
  version: string | undefined;
  streaming: boolean;
  inputModes: string[];
  outputModes: string[];
  skills: JsonObject[];
  /** In the order of the card, which is that of its preference. */
  interfaces: AgentInterface[];
  /** The card as it was sent. */
  raw: JsonObject;
}

const WELL_KNOWN = '.well-known/agent-card.json';
/** Its name before A2A 0.3. */
const WELL_KNOWN_BEFORE = '.well-known/agent.json';

const MAX_NAME = 200;
const MAX_DESCRIPTION = 4_000;
const MAX_SKILLS = 100;
const MAX_MODES = 50;

/**
 * The places a card may be at for a configured URL, likeliest first: the URL itself where it names a JSON file, below the URL, and
 * at its origin.
 */
export function cardPlaces(url: URL): string[] {
  if (url.pathname.endsWith('.json')) return [url.pathname + url.search];
  const base = url.pathname.replace(/\/+$/, '');
  const places = [`${base}/${WELL_KNOWN}`, `/${WELL_KNOWN}`, `${base}/${WELL_KNOWN_BEFORE}`];
  return [...new Set(places)].map((path) => path + url.search);
}

/** Undefined when the value is no agent card. Throws `SWB_UPSTREAM_PROTOCOL` for one that cannot be used. */
export function readCard(value: unknown, server: string): AgentCard | undefined {
  if (!looksLikeCard(value)) return undefined;
  const interfaces = interfacesOf(value);
  if (interfaces.length === 0) {
    throw new SwitchboardError(
      'SWB_UPSTREAM_PROTOCOL',
      `The agent card of server '${server}' names no interface that can be used: A2A 1.0 or 0.3 over JSONRPC or HTTP+JSON.`,
    );
  }
  const capabilities = isObject(value.capabilities) ? value.capabilities : {};
  return {
    key: keyOf(value.name),
    name: head(value.name, MAX_NAME),
    description: textOf(value.description, MAX_DESCRIPTION),
    version: textOf(value.version, MAX_NAME),
    streaming: capabilities.streaming === true,
    inputModes: stringsOf(value.defaultInputModes),
    outputModes: stringsOf(value.defaultOutputModes),
    skills: Array.isArray(value.skills) ? value.skills.filter(isObject).slice(0, MAX_SKILLS) : [],
    interfaces,
    raw: value,
  };
}

/** A name, and an address in one of both forms. An MCP server card has neither. */
export function looksLikeCard(value: unknown): value is JsonObject & { name: string } {
  if (!isObject(value) || typeof value.name !== 'string' || value.name.trim() === '') return false;
  const addressed = Array.isArray(value.supportedInterfaces) || typeof value.url === 'string';
  return addressed && (Array.isArray(value.skills) || isObject(value.capabilities));
}

function interfacesOf(card: JsonObject): AgentInterface[] {
  const found: AgentInterface[] = [];
  const add = (url: unknown, binding: unknown, version: unknown, tenant?: unknown): void => {
    const spoken = versionOf(version);
    if (typeof url !== 'string' || !URL.canParse(url) || (binding !== 'JSONRPC' && binding !== 'HTTP+JSON')) return;
    if (spoken === undefined) return;
    const named = typeof tenant === 'string' && tenant !== '' ? tenant : undefined;
    found.push({ url: new URL(url), binding, version: spoken, tenant: named });
  };
  if (Array.isArray(card.supportedInterfaces)) {
    for (const each of card.supportedInterfaces.filter(isObject)) {
      add(each.url, each.protocolBinding, each.protocolVersion ?? '1.0', each.tenant);
    }
  }
  // A card that serves clients of both revisions has both forms; 1.0 comes first.
  const version = card.protocolVersion ?? '0.3';
  add(card.url, card.preferredTransport ?? 'JSONRPC', version);
  if (Array.isArray(card.additionalInterfaces)) {
    for (const each of card.additionalInterfaces.filter(isObject)) add(each.url, each.transport, version);
  }
  const newest = found.filter((each) => each.version === '1.0');
  return [...newest, ...found.filter((each) => each.version !== '1.0')];
}

/** Versions are `major.minor`, with a patch in cards of 0.3 (`0.3.0`). */
function versionOf(value: unknown): A2aVersion | undefined {
  if (typeof value !== 'string') return undefined;
  if (/^1(\.\d+)*$/.test(value)) return '1.0';
  return /^0\.[23](\.\d+)*$/.test(value) ? '0.3' : undefined;
}

/** A name for tools and lists: letters, digits, `-`, `_` of the card's name. */
function keyOf(name: string): string {
  const key = name
    .normalize('NFKD')
    .replace(/[^\w-]+/g, '-')
    .replace(/^-+|-+$/g, '')
    .slice(0, 64);
  return key === '' ? 'agent' : key;
}

const textOf = (value: unknown, max: number): string | undefined =>
  typeof value === 'string' && value !== '' ? head(value, max) : undefined;

const stringsOf = (value: unknown): string[] =>
  Array.isArray(value) ? value.filter((each) => typeof each === 'string').slice(0, MAX_MODES) : [];
