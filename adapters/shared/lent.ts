/**
 * A key for the gateway as agents receive it: what an MCP client needs to connect.
 * @module
 */
import type { LentAccess } from '../../src/core/call.ts';
import type { JsonObject } from '../../src/wire/jsonrpc.ts';

/** The member it has in whatever a server hands to its agents: configuration, context or metadata. */
export const LENT_NAME = 'switchboard';

/** `url` and `headers` are those of a client over streamable HTTP; `expiresAt` is ISO 8601. */
export const handedOver = ({ url, key, tools, expiresAt }: LentAccess): JsonObject => ({
  url,
  headers: { Authorization: `Bearer ${key}` },
  tools: [...tools],
  expiresAt: new Date(expiresAt).toISOString(),
});
