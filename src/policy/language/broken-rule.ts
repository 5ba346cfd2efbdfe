/**
 * A rule cannot be evaluated, and denies.
 * @module
 */

/** The message is for the caller. */
export class BrokenRule extends Error {}
