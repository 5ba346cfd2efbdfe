/**
 * Who uses the administration: the holder of the admin token, or a person who has logged in at the identity provider.
 * @module
 */

export interface Operator {
  /** Unique: `admin`, or issuer and subject of a person. It stands in the log and the audit. */
  readonly principal: string;
  /** What the identity provider calls the person; undefined for the holder of the admin token. */
  readonly name: string | undefined;
  /** False: may look, and change nothing. */
  readonly mayChange: boolean;
}

/** The holder of the admin token. */
export const TOKEN_OPERATOR: Operator = Object.freeze({ principal: 'admin', name: undefined, mayChange: true });

/** At addresses that are open to everybody. */
export const UNKNOWN_OPERATOR: Operator = Object.freeze({ principal: '', name: undefined, mayChange: false });

/** As JSON has it; undefined for what is no operator. */
export function operatorIn(value: unknown): Operator | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { principal, name, mayChange } = value as Record<string, unknown>;
  if (typeof principal !== 'string' || typeof name !== 'string' || typeof mayChange !== 'boolean') return undefined;
  return { principal, name, mayChange };
}
