/**
 * What an authorization server answers a token request with, checked and bounded, as the vault and requests use it.
 * @module
 */
import type { OAuthTokens } from '@modelcontextprotocol/client';
import { scopesIn } from './challenge.ts';
import { loginFailed } from './failures.ts';

export interface Token {
  readonly accessToken: string;
  readonly tokenType: 'Bearer' | 'DPoP';
  readonly refreshToken: string | undefined;
  readonly scopes: readonly string[];
  /** Milliseconds since the epoch. */
  readonly expiresAt: number | undefined;
}

const MAX_TOKEN_LENGTH = 16 * 1024;
const MAX_LIFETIME_S = 366 * 24 * 60 * 60;
/** What can stand in a header. */
const SENDABLE = /^[\x21-\x7e]+$/;

export interface TokenBinding {
  /** A proof went with the request, so that the token may be bound to its key. */
  readonly hasKey: boolean;
  /** The entry wants that it is. */
  readonly isRequired: boolean;
}

/** `asked`: the scopes that were asked for, which an answer without scopes means. */
export function readToken(
  tokens: OAuthTokens,
  server: string,
  asked: string | undefined,
  { hasKey, isRequired }: TokenBinding,
): Token {
  const { access_token: accessToken, refresh_token: refreshToken, expires_in: lifetime } = tokens;
  const isDpop = /^dpop$/i.test(tokens.token_type);
  if (isRequired && !isDpop) {
    throw loginFailed(server, 'its authorization server gave a token that is not bound to a key (auth.dpop)', 'dpop');
  }
  const isUsable = isDpop ? hasKey : /^bearer$/i.test(tokens.token_type);
  if (!isUsable)
    throw loginFailed(server, 'its authorization server gives tokens of a type that is not known here', 'protocol');
  for (const text of [accessToken, refreshToken]) {
    if (text === undefined || (text.length <= MAX_TOKEN_LENGTH && SENDABLE.test(text))) continue;
    throw loginFailed(server, 'its authorization server gives a token that cannot be sent', 'protocol');
  }
  return {
    accessToken,
    tokenType: isDpop ? 'DPoP' : 'Bearer',
    refreshToken,
    scopes: scopesIn(tokens.scope ?? asked),
    expiresAt: expiryOf(lifetime),
  };
}

function expiryOf(seconds: number | undefined): number | undefined {
  if (seconds === undefined || !Number.isFinite(seconds) || seconds < 0) return undefined;
  return Date.now() + Math.min(seconds, MAX_LIFETIME_S) * 1_000;
}

/** A token is renewed this long before it ends, or in the last tenth of a short life. */
const EARLY_MS = 60_000;

/** From when on a token is to be renewed; without an expiry, when the server refuses it. */
export function renewAt({ expiresAt }: Pick<Token, 'expiresAt'>, now = Date.now()): number {
  if (expiresAt === undefined) return Number.POSITIVE_INFINITY;
  return expiresAt - Math.min(EARLY_MS, Math.max(0, expiresAt - now) / 10);
}
