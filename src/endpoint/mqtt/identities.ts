/**
 * Who a client on the broker is. MQTT does not tell a receiver who published a message: payloads and user properties are
 * claims. What can be trusted is the client id in a topic, where the broker's access control lets each user publish under
 * its own ids alone (docs/mqtt.md). So the operator says which ids those are, and an id that is not named has no identity.
 * @module
 */
import { type GlobMatcher, globMatcher, isGlob } from '../../core/globs.ts';
import type { Identity } from '../../core/identity.ts';

/** The identity of a client id; undefined where it has none. */
export type IdentifyClient = (clientId: string) => Identity | undefined;

/**
 * `clients` gives a grant to a client id or a glob of ids, and `identities` the identity to a grant. An id that is spelled out
 * wins over globs, and of those the first that matches.
 */
export function clientIdentities(
  clients: Readonly<Record<string, string>>,
  identities: ReadonlyMap<string, Identity>,
): IdentifyClient {
  const exact = new Map<string, Identity>();
  const globs: [GlobMatcher, Identity][] = [];
  for (const [id, grant] of Object.entries(clients)) {
    const identity = identities.get(grant);
    if (!identity) continue;
    if (isGlob(id)) globs.push([globMatcher(id), identity]);
    else exact.set(id, identity);
  }
  // An id too long to be tried has none either.
  return (clientId) => exact.get(clientId) ?? globs.find(([matches]) => matches(clientId) === true)?.[1];
}
