/**
 * What a server answered when the gateway could not use it: kept as the `cause` of the error, for `switchboard check`
 * and for deciding what a refusal means. It never reaches a client.
 * @module
 */

/** Characters of a body that are kept. */
const KEPT = 2_000;

export class Evidence extends Error {
  /** The request, as JSON text; undefined where it was a client's. */
  sent: string | undefined;
  readonly status: number;
  readonly contentType: string | undefined;
  /** The first characters of the body. */
  readonly beginning: string;

  constructor(status: number, contentType: string | undefined, body: Buffer) {
    super(`It answered with HTTP ${status}.`);
    this.name = 'Evidence';
    this.status = status;
    this.contentType = contentType;
    this.beginning = body.toString('utf8', 0, KEPT);
  }
}

/** The evidence among the causes of an error. */
export function evidenceOf(error: unknown): Evidence | undefined {
  let each = error;
  for (let depth = 0; depth < 8 && each instanceof Error; depth++) {
    if (each instanceof Evidence) return each;
    each = each.cause;
  }
  return undefined;
}
