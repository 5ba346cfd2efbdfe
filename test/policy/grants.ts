/**
 * Grants for tests: a key and the entry of the configuration that lets it in.
 * @module
 */
import { newKey } from '../../src/auth/key.ts';

export interface TestGrant {
  key: string;
  entry: Record<string, unknown>;
  headers: { authorization: string };
}

export function grant(rest: Record<string, unknown> = {}): TestGrant {
  const { key, stored } = newKey();
  return { key, entry: { key: stored, ...rest }, headers: { authorization: `Bearer ${key}` } };
}

/** A policy that lets through one tool, so many times a minute, as the published pages print it. */
export const published = (tool: string, max: number): Record<string, unknown> => ({
  version: '1',
  default: 'deny',
  tools: {
    [tool]: { limits: [{ counter: `${tool.toLowerCase()}_rate`, window: 'minute', max, scope: 'grant' }] },
  },
});
