/**
 * Who a client on the broker is. MQTT does not tell a receiver who published a message: payloads and user properties are
 * claims. What can be trusted is the client id in a topic, where the broker's access control lets each user publish under
 * its own ids alone (docs/mqtt.md). So the operator says which ids those are, and an id that is not named is nobody.
 * @module
 */
import { type GlobMatcher, globMatcher, isGlob } from '../../core/globs.ts';
import { grantIdentity, type Identity, LOCAL_IDENTITY, LOCAL_PRINCIPAL } from '../../core/identity.ts';

/** The identity of a client id; undefined where it is nobody's. */
export type IdentifyClient = (clientId: string) => Identity | undefined;

/**
 * `clients` gives a grant to a client id or a glob of ids; `local` stands for the local user, whom no grant binds. An id
 * that is spelled out wins over globs, and of those the first that matches.
 */
export function clientIdentities(clients: Readonly<Record<string, string>>): IdentifyClient {
  const identities = new Map<string, Identity>([[LOCAL_PRINCIPAL, LOCAL_IDENTITY]]);
  const identityOf = (grant: string): Identity => {
    const known = identities.get(grant);
    if (known) return known;
    const identity = grantIdentity(grant);
    identities.set(grant, identity);
    return identity;
  };
  const exact = new Map<string, Identity>();
  const globs: [GlobMatcher, Identity][] = [];
  for (const [id, grant] of Object.entries(clients)) {
    if (isGlob(id)) globs.push([globMatcher(id), identityOf(grant)]);
    else exact.set(id, identityOf(grant));
  }
  // An id too long to be tried is nobody's either.
  return (clientId) => exact.get(clientId) ?? globs.find(([matches]) => matches(clientId) === true)?.[1];
}
