/**
 * What the gateway gives up, and why. Short on purpose: an entry needs a reason no gateway could get round.
 * @module
 */
import type { KnownReason } from './harness/compare.ts';
import type { Pairing } from './pairings.ts';

interface KnownLoss {
  scenario: string;
  checks: readonly string[];
  applies(pairing: Pairing): boolean;
  reason: string;
}

const modernOnLegacy = ({ revision, upstream }: Pairing): boolean =>
  revision === '2026-07-28' && (upstream === 'v1' || upstream === 'v2 legacy');

const KEY =
  'The suite wants the question under the key `user_name`. A 2025 `elicitation/create` has no key, so the gateway must make one up.';

export const KNOWN_LOSSES: readonly KnownLoss[] = [
  {
    scenario: 'input-required-result-basic-elicitation',
    checks: ['sep-2322-elicitation-incomplete', 'sep-2322-elicitation-complete'],
    applies: modernOnLegacy,
    reason: KEY,
  },
  {
    scenario: 'input-required-result-ignore-extra-params',
    checks: ['sep-2322-ignore-unexpected-params'],
    applies: modernOnLegacy,
    reason: `${KEY} This scenario answers under that key in its very first request.`,
  },
  {
    scenario: 'server-sse-polling',
    checks: ['server-sse-disconnect-resume'],
    applies: ({ revision, upstream }) => revision === '2025-11-25' && upstream === 'v2 modern',
    reason:
      'The 2025 server ends the stream of a call and is polled for the result. 2026-07-28 has no such streams, so the same tool just answers: there is nothing to pass on.',
  },
];

export function knownIn(pairing: Pairing): KnownReason {
  return (scenario, check) =>
    KNOWN_LOSSES.find((loss) => loss.applies(pairing) && loss.scenario === scenario && loss.checks.includes(check))
      ?.reason;
}
