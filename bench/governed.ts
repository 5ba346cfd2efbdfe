/**
 * Policy as the bench puts it on a gateway: a grant with a key, a gateway document and a server document of together 200
 * rules, argument validation (the default) and an audit file. Nothing in it refuses what the load sends, so that rows
 * with it are checked like all others.
 * @module
 */
import { newKey } from '../src/auth/key.ts';

/** Of all documents that are asked about one call. */
export const RULES = 200;

/** High enough not to be reached, so that it is counted and never refused. */
const UNREACHED = 1_000_000_000;

type Json = Record<string, unknown>;

/** What is laid over a gateway's configuration, and what its clients then have to send. */
export interface Governed {
  /** Of the `gateway` section. */
  gateway: Json;
  /** Of every server. */
  server: Json;
  headers: Readonly<Record<string, string>>;
}

const limit = (counter: string): Json => ({ counter, window: 'minute', max: UNREACHED, scope: 'grant' });

/** For the echo tool: each step of a decision has something to do. */
const ECHO_RULE: Json = {
  require: [
    { path: 'args.text', op: 'exists', value: true },
    { path: 'args.text', op: 'neq', value: '' },
  ],
  deny_if: [{ conditions: [{ path: 'args.text', op: 'contains', value: 'DROP TABLE' }] }],
  limits: [limit('echo')],
};

/** For tools that only make the document long. */
const fillerRule = (index: number): Json =>
  index % 2 === 0
    ? { limits: [limit(`filler_${index}`)] }
    : { deny_if: [{ path: 'args.query', op: 'eq', value: `forbidden ${index}` }] };

/** `count` rules: those of `first`, then fillers; every twentieth filler is a glob. */
function document(count: number, prefix: string, first: Json): Json {
  const rules: Json = { ...first };
  for (let i = Object.keys(rules).length; i < count; i++) {
    const number = String(i).padStart(4, '0');
    rules[i % 20 === 19 ? `${prefix}group_${number}_*` : `${prefix}tool_${number}`] = fillerRule(i);
  }
  return { version: '1', default: 'allow', hide: [`${prefix}secret_*`], tools: rules };
}

/** For calls: the echo tool has a rule in both documents, and every call leaves a line in the audit. */
export function governedCalls(servers: readonly string[]): Governed {
  const { key, stored } = newKey();
  const named = Object.fromEntries(servers.map((name) => [`${name}__echo`, ECHO_RULE]));
  return {
    gateway: {
      policy: document(RULES / 2, 'other__', named),
      defaultPolicy: 'allow',
      grants: { bench: { key: stored } },
      audit: {},
    },
    server: { policy: document(RULES / 2, '', { echo: ECHO_RULE }) },
    headers: bearer(key),
  };
}

/** For calls of everybody: a limit on one tool, which is not reached, and nothing else. For the `gateway` section. */
export const limitedCalls = (tool: string): Json => ({
  policy: {
    version: '1',
    default: 'allow',
    tools: { [tool]: { limits: [{ ...limit('calls'), scope: 'global' }] } },
  },
});

/** The same with the hook that looks for secrets in arguments and results. */
export function redactingCalls(servers: readonly string[]): Governed {
  const calls = governedCalls(servers);
  return { ...calls, gateway: { ...calls.gateway, hooks: [{ use: 'redact-secrets' }] } };
}

/** For lists: so many grants, each with a document of its own of all the rules, which shows every tool. */
export function governedLists(
  server: string,
  grants: number,
): Pick<Governed, 'gateway'> & { headers: Governed['headers'][] } {
  const keys = Array.from({ length: grants }, () => newKey());
  const entries = keys.map(({ stored }, i) => [
    `bench-${i}`,
    { key: stored, policy: document(RULES, `${server}__`, {}) },
  ]);
  return { gateway: { grants: Object.fromEntries(entries) }, headers: keys.map(({ key }) => bearer(key)) };
}

const bearer = (key: string): Governed['headers'] => ({ authorization: `Bearer ${key}` });
