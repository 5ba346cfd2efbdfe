/**
 * What one principal may take of what all share. Without grants there is one user, who may take everything. With them a
 * principal holds at most half, so that no key, however it is used, shuts the others out by itself; equal shares would
 * be too small where many grants rest.
 * @module
 */
import type { Grants } from '../context.ts';

/** Most of `max` places that one principal may hold now; at least one. */
export type ShareOf = (max: number) => number;

export const shareOf =
  (grants: Pick<Grants, 'required'> | undefined): ShareOf =>
  (max) =>
    grants?.required ? Math.max(1, Math.ceil(max / 2)) : max;
