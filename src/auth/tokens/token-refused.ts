/**
 * The reason for refusing a token, apart from what verifies tokens: who only reads it loads nothing of that.
 * @module
 */

/** Why a token is refused: for the operator's log. Its client learns only that it is not valid. */
export class TokenRefused extends Error {}
