/**
 * Writes a line for requests that are refused at the door (Host, Origin, credentials): their clients show little of it, and
 * the operator has to know what to set. Never a credential, and at most one line of a kind in ten seconds.
 * @module
 */
import type { IncomingMessage } from 'node:http';
import { TokenRefused } from '../../auth/tokens/token-refused.ts';
import { type ErrorCode, SwitchboardError } from '../../core/errors.ts';
import type { Log } from '../../core/log.ts';
import { Quiet } from '../../core/quiet.ts';
import { shorten } from '../../core/text.ts';
import { header } from './request.ts';

/** Characters of why a token is refused: it holds two addresses. */
const MAX_REASON = 500;

/** Headers that clients without `Authorization` send a key in. */
const USUAL_KEY_HEADERS = ['x-api-key', 'api-key', 'apikey', 'x-auth-token', 'x-access-token', 'x-mcp-api-key'];

/** For whom the request was: the two have credentials of their own. */
type Door = 'endpoint' | 'admin';

export class RefusalLog {
  readonly #log: Log;
  readonly #keyHeaders: readonly string[];
  readonly #quiet: Quiet;

  constructor(log: Log, keyHeaders: readonly string[], now?: () => number) {
    this.#log = log;
    this.#keyHeaders = keyHeaders;
    this.#quiet = new Quiet(now);
  }

  /** Call with every error a request is refused with; those of other kinds are passed over. */
  refused(req: IncomingMessage, error: unknown, door: Door = 'endpoint'): void {
    if (!(error instanceof SwitchboardError)) return;
    const { code } = error;
    const why = error.cause instanceof TokenRefused ? shown(error.cause.message, MAX_REASON) : undefined;
    const advice =
      why === undefined
        ? this.#adviceFor(code, req, door)
        : `A request was refused: its access token is not accepted, because ${why}.`;
    if (advice === undefined) return;
    // Apart from each other: keys that were mistyped must not hide what is wrong with tokens.
    const skipped = this.#quiet.skippedBefore(why === undefined ? `${door} ${code}` : `${door} token`);
    if (skipped === undefined) return;
    this.#log.warn(
      {
        code,
        from: req.socket.remoteAddress,
        userAgent: shown(header(req, 'user-agent')),
        ...(code === 'SWB_HOST_REFUSED' ? { host: shown(header(req, 'host')) } : {}),
        ...(code === 'SWB_ORIGIN_REFUSED' ? { origin: shown(header(req, 'origin')) } : {}),
        ...(code === 'SWB_ISSUER_UNAVAILABLE' ? { err: error.cause } : {}),
        ...(skipped === 0 ? {} : { alsoRefused: skipped }),
      },
      advice,
    );
  }

  /** Undefined: the error is not one of the door. */
  #adviceFor(code: ErrorCode, req: IncomingMessage, door: Door): string | undefined {
    switch (code) {
      case 'SWB_HOST_REFUSED':
        return 'A request was refused: its Host header names another address. If that is this gateway, add it to gateway.allowedHosts.';
      case 'SWB_ORIGIN_REFUSED':
        return door === 'admin'
          ? 'A request for the administration was refused: it came from a page of another origin.'
          : 'A request was refused: it came from a page of another web origin. If that page may ask, add it to gateway.allowedOrigins.';
      case 'SWB_ISSUER_UNAVAILABLE':
        return "A request was refused: its access token could not be checked, because its issuer's metadata or keys, or its answer about the token, could not be had.";
      case 'SWB_UNAUTHENTICATED':
      case 'SWB_FORBIDDEN':
        return door === 'admin'
          ? "A request for the administration was refused: it needs 'Authorization: Bearer <token>' with gateway.adminToken, or the token in the state folder."
          : `A request was refused: ${this.#credentialAdvice(req)}`;
      case 'SWB_TOO_MANY_ATTEMPTS':
        return 'Requests for the administration are refused for a minute: too many wrong admin tokens were sent.';
      default:
        return undefined;
    }
  }

  #credentialAdvice(req: IncomingMessage): string {
    const { authorization } = req.headers;
    if (authorization !== undefined || this.#keyHeaders.some((name) => req.headers[name] !== undefined)) {
      return authorization !== undefined && !/^bearer /i.test(authorization)
        ? "its Authorization header is not 'Bearer <token>'."
        : "its token or key is not valid. Set gateway.token, or a grant's key ('switchboard grants add'), in the client.";
    }
    const other = USUAL_KEY_HEADERS.find((name) => req.headers[name] !== undefined);
    return other === undefined
      ? "it has no token. Have the client send 'Authorization: Bearer <token>' with gateway.token or a grant's key."
      : `its only key is in the header '${other}', which is not read. To accept keys there, add it to gateway.keyHeaders.`;
  }
}

/** Text of a request as a log may show it: short, and without what a terminal would act on. */
const shown = (text: string | undefined, max = 100): string | undefined =>
  text === undefined ? undefined : shorten(text.replace(/[^\x20-\x7e]/g, '?'), max);
