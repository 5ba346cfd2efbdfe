/**
 * Where a server that a client connects may lead. Who may connect to which address was decided about the one that was
 * given; a redirect to a server that is here already would be a second way to it, past its policy and past who may know it.
 * @module
 */
import type { NetworkGuard } from '../core/adapter.ts';
import { SwitchboardError } from '../core/errors.ts';
import type { Member } from '../federation/types.ts';
import { isSamePlace, serversNear } from './server-names.ts';

/** The guard for connections to `home`, which refuses the places of other servers too. */
export const awayFromOthers = (guard: NetworkGuard, home: URL, members: () => readonly Member[]): NetworkGuard => ({
  lookup: guard.lookup,
  async check(url) {
    if (!isSamePlace(url, home) && serversNear(members(), url).length > 0) {
      throw new SwitchboardError(
        'SWB_URL_REFUSED',
        'The URL of the server is not accepted: it leads somewhere the operator does not allow it to.',
      );
    }
    await guard.check(url);
  },
});
