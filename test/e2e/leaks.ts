/**
 * What must be in no reply: stacks, paths of this machine, addresses of upstreams, credentials and prompts.
 * @module
 */
import { homedir, tmpdir } from 'node:os';
import { expect } from 'vitest';
import { SECRET } from '../fixtures/mcp/world.ts';

const FORBIDDEN: readonly (readonly [what: string, pattern: RegExp])[] = [
  ['a stack', /\bat (async )?(\S+ )?\(?(file:|node:|\/)\S+:\d+:\d+/],
  ['a module path', /node_modules|\.[cm]?[jt]s:\d+/],
  ['a folder of this machine', folders([process.cwd(), tmpdir(), homedir()])],
  ['an address', /127\.0\.0\.1|\[::1\]|localhost:\d+|ECONN|EPIPE|ENOTFOUND/],
  ['a credential', new RegExp(`${SECRET}|sk-fixture|Bearer `)],
  ['a system prompt', /SECRET SYSTEM PROMPT/],
];

function folders(paths: readonly string[]): RegExp {
  return new RegExp(paths.map((path) => `${path.replace(/[^\w/]/g, '\\$&')}(/|\\b)`).join('|'));
}

/** Fails when the text of a reply says what it must not. */
export function expectNoLeak(reply: unknown): void {
  const text = typeof reply === 'string' ? reply : JSON.stringify(reply);
  for (const [what, pattern] of FORBIDDEN) {
    expect(pattern.exec(text)?.[0], `${what} in ${text.slice(0, 500)}`).toBeUndefined();
  }
}
