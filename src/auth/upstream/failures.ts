/**
 * Failures of flows in words fit for clients, and causes fit for the log: answers of authorization servers may repeat codes,
 * tokens and secrets, so of those only the error code is kept.
 * @module
 */
import { SwitchboardError } from '../../core/errors.ts';
import { isObject } from '../../wire/jsonrpc.ts';

/** `because` is a clause without a final stop. */
export const loginFailed = (server: string, because: string, reason: string, cause?: unknown): SwitchboardError =>
  new SwitchboardError('SWB_LOGIN_FAILED', `Nobody can be logged in to server '${server}': ${because}.`, {
    data: { server, reason },
    cause,
  });

/** What went wrong in a flow of the SDK's. What is the gateway's own word already stays. */
export function flowFailure(server: string, because: string, error: unknown): SwitchboardError {
  if (error instanceof SwitchboardError) return error;
  const code = oauthErrorOf(error);
  if (code !== undefined) return loginFailed(server, `${because} (${code})`, code, traceOf(error));
  if (error instanceof TypeError && error.message.startsWith('The authorization server')) {
    return new SwitchboardError('SWB_LOGIN_FAILED', error.message, {
      data: { server, reason: 'unreachable' },
      retryAfterMs: RETRY_MS,
      cause: error.cause,
    });
  }
  return loginFailed(server, because, 'protocol', traceOf(error));
}

export const RETRY_MS = 5_000;

/** The authorization server does not work at present: logins that exist are kept. */
export const keptButUnavailable = (server: string, error: unknown): SwitchboardError =>
  new SwitchboardError(
    'SWB_UPSTREAM_UNAVAILABLE',
    `Server '${server}' cannot be called now: its authorization server fails. The login is kept; try again later.`,
    { data: { server, reason: 'authorization server' }, retryAfterMs: RETRY_MS, cause: traceOf(error) },
  );

/** The OAuth error code an authorization server answered with; undefined for any other failure. */
export function oauthErrorOf(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  const { code } = error as { code?: unknown };
  return error.name === 'OAuthError' && typeof code === 'string' && OAUTH_CODE.test(code) ? code : undefined;
}

/** The same kind of error for a request that is not the SDK's. Of `answer`, the decoded body, only the code is kept. */
export function oauthFailure(status: number, answer: unknown): Error {
  const code = isObject(answer) && typeof answer.error === 'string' ? answer.error : undefined;
  const isOAuth = code !== undefined && OAUTH_CODE.test(code) && status < 500;
  return Object.assign(
    new Error('The authorization server refused.'),
    isOAuth ? { name: 'OAuthError', code } : { status },
  );
}

/** {@link oauthFailure} of a body that may be no JSON. */
export function oauthFailureIn(status: number, body: string): Error {
  try {
    return oauthFailure(status, JSON.parse(body));
  } catch {
    return oauthFailure(status, undefined);
  }
}

const OAUTH_CODE = /^[a-z_]{1,64}$/;

/** The type of an error and, where it has one, its status: nothing an authorization server wrote. */
function traceOf(error: unknown): Error | undefined {
  if (!(error instanceof Error)) return undefined;
  const status = isObject(error) && typeof error.status === 'number' ? `, HTTP ${error.status}` : '';
  const trace = new Error(`${error.name}${status}`);
  if (error.cause instanceof Error) trace.cause = error.cause.name;
  return trace;
}
