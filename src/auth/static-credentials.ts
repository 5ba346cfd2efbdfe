/**
 * The headers that are configured for a server, for everybody's requests to it.
 * @module
 */
import type { Credentials } from '../core/credentials.ts';

export const staticCredentials: Credentials = {
  headersFor: (_identity, { headers }) => headers,
};
