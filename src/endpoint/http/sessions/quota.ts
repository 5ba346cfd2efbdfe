/**
 * What one principal may take of what all share. A single user may take everything. One of several principals holds at
 * most half, so that none of them shuts the others out by itself; equal shares would be too small where most are idle.
 * @module
 */
import type { Authenticator } from '../../../core/identity.ts';

/** Most of `max` places that one principal may hold now; at least one. */
export type ShareOf = (max: number) => number;

export const shareOf =
  (auth: Pick<Authenticator, 'severalPrincipals'>): ShareOf =>
  (max) =>
    auth.severalPrincipals === false ? max : Math.max(1, Math.ceil(max / 2));
