/** Requests to the test agent. */
import type { JsonObject } from '../../src/wire/jsonrpc.ts';

export const AGENT = 'Test-Agent';

export const say = (content: unknown, more: JsonObject = {}): { method: string; params: JsonObject } => ({
  method: 'agents/call',
  params: { agent: AGENT, messages: [{ role: 'user', content }], ...more },
});
