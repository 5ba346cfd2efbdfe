/**
 * Why the gateway cannot use a server: what was sent, what came back, and what to try. Secrets are masked.
 * @module
 */

import { basename } from 'node:path';
import { redactText } from '../config/redact.ts';
import type { Target } from '../core/adapter.ts';
import { brokerSecrets } from '../core/broker.ts';
import { SwitchboardError } from '../core/errors.ts';
import { evidenceOf, lastLinesOf, mask, secretsOf } from '../core/evidence.ts';
import { masking } from '../core/mask.ts';
import { head, shortenTo } from '../core/text.ts';
import { oneLine } from '../core/visible.ts';
import type { Member } from './types.ts';

/** Characters of the request that are shown, and bytes of the response. */
const MAX_SENT = 300;
const MAX_RECEIVED = 200;
/** Of what a command wrote last. */
const MAX_LINES = 12;
const MAX_LINE = 300;

export interface Failure {
  /** The request as JSON text; absent where none left. */
  sent?: string;
  /** Where to, when nothing came back. */
  to?: string;
  received?: { status?: number; type?: string; beginning: string };
  /** For how long nothing had come back when the attempt was given up. */
  nothingWithinMs?: number;
  /** The last lines that its command wrote to stderr, oldest first. */
  stderr?: string[];
  try: string;
}

/** Undefined for a server that is not away. */
export function failureOf({
  config,
  failure,
  asked,
}: Pick<Member, 'config' | 'failure' | 'asked'>): Failure | undefined {
  if (failure === undefined) return undefined;
  const evidence = evidenceOf(failure);
  const hint = hintFor(failure, evidence?.status, config.target);
  const configured = masking(config.target);
  const secrets = secretsIn(config.target);
  const clean = (text: string): string => oneLine(redactText(mask(configured(text), secrets)));
  const lines = lastLinesOf(failure).slice(-MAX_LINES);
  if (lines.length > 0) return { stderr: lines.map((line) => shortenTo(clean(line), MAX_LINE)), try: HINT_OF_ENDED };
  if (!evidence) {
    if (!asked) return { try: hint };
    const sent = shortenTo(clean(asked.request), MAX_SENT);
    return { sent, to: clean(addressOf(config.target)), nothingWithinMs: Math.round(asked.ms), try: hint };
  }
  return {
    ...(evidence.sent === undefined ? {} : { sent: shortenTo(clean(evidence.sent), MAX_SENT) }),
    received: {
      ...(evidence.status === undefined ? {} : { status: evidence.status }),
      ...(evidence.contentType === undefined ? {} : { type: oneLine(evidence.contentType) }),
      beginning: head(clean(evidence.beginning), MAX_RECEIVED),
    },
    try: hint,
  };
}

const HINT_OF_ENDED =
  'look at what it wrote last, and run the command of its entry in a terminal: it should start and wait for input.';

const addressOf = (target: Target): string =>
  target.transport === 'stdio' ? `the stdin of ${basename(target.command)}` : target.url;

function secretsIn(target: Target): string[] {
  if (target.transport === 'stdio') return Object.values(target.env);
  const ofBroker = target.transport === 'mqtt' ? brokerSecrets(target.broker) : [];
  return [...secretsOf(target.headers, target.url), ...ofBroker];
}

function hintFor(failure: unknown, status: number | undefined, target: Target): string {
  if (failure instanceof SwitchboardError && failure.code === 'SWB_LOGIN_NEEDED')
    return 'log in to it, with switchboard connections connect or on the page of policy and grants.';
  switch (status) {
    case 401:
      return 'set the key that the server wants in "headers" of its entry.';
    case 403:
      return 'call it at the address it allows ("url"), or with the key it wants ("headers").';
    case 404:
    case 405:
      return 'look at the path of "url": MCP servers often end in /mcp or /sse; Mastra and LangGraph have a base URL.';
    case 429:
      return 'wait; the server is asked too often.';
    default:
  }
  if (target.transport === 'stdio') {
    return 'run the command of its entry in a terminal: it should start and wait for input. --log-level debug shows what it writes.';
  }
  if (status !== undefined && status >= 500) return "look into the server's own log: it failed on the request.";
  if (status !== undefined && status < 300) return 'open "url" in a browser: something answers there, but not MCP.';
  if (status !== undefined || evidenceOf(failure))
    return "look into the server's own log for why it refuses the request.";
  if (failure instanceof SwitchboardError && failure.code === 'SWB_CONFIG')
    return 'mend its entry in the configuration.';
  if (target.transport === 'mqtt') {
    return failure instanceof SwitchboardError && failure.code === 'SWB_UPSTREAM_AUTH'
      ? 'set the login that the broker wants in "broker" of its entry, and look at the broker\'s own log.'
      : 'see whether the broker runs, and whether "url" is the address it listens at.';
  }
  return 'see whether the server runs, and whether "url" is the address it listens at.';
}
