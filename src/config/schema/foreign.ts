/**
 * Keys of other clients' files. A pasted file must work, so each key is either an alias (in `server-entry.ts`) or ignored with
 * a warning that says what to write instead.
 *
 * Written by: Claude Desktop and Claude Code, Cursor, VS Code, Windsurf, Cline, Roo Code, Kilo Code, Gemini CLI, the
 * Copilot CLI and coding agent, Kiro, Cherry Studio.
 * @module
 */
import { z } from 'zod';

/** Ignored keys with the reason for the warning. `undefined`: no warning, because the key does not concern the connection. */
export const IGNORED_SERVER_KEYS: Readonly<Record<string, string | undefined>> = {
  alwaysAllow: 'approval is the client’s own business',
  autoApprove: 'approval is the client’s own business',
  alwaysLoad: undefined,
  authProviderType: 'people log in when a server asks for it; auth says how, where that is not enough',
  description: undefined,
  dev: undefined,
  displayName: undefined,
  extensionName: undefined,
  gallery: undefined,
  headersHelper: `commands that print headers are not run; write headers with \${VAR}`,
  icon: undefined,
  id: undefined,
  longRunning: 'write timeoutMs and maxTimeoutMs instead',
  name: 'a server’s name is its key',
  note: undefined,
  oauth: 'people log in when a server asks for it; auth says how, where that is not enough',
  provider: undefined,
  providerUrl: undefined,
  sandbox: undefined,
  sandboxEnabled: 'children are not sandboxed',
  tags: undefined,
  timeout: 'clients mean seconds or milliseconds by it; write timeoutMs instead',
  trust: 'approval is the client’s own business',
  version: undefined,
  watchPaths: undefined,
};

/** Ignored at the top of the file. */
export const IGNORED_TOP_KEYS: Readonly<Record<string, string | undefined>> = {
  globalShortcut: undefined,
  inputs: `nobody can be asked at start; write \${VAR} where \${input:…} stood`,
  mcp: 'servers stand in mcpServers or servers at the top of the file',
  preferences: undefined,
  sandbox: undefined,
};

const ignored = () => z.unknown().optional().meta({ description: 'Of another client; ignored.', deprecated: true });

/** The shape of keys that are accepted and ignored. */
export function ignoredShape(keys: Readonly<Record<string, string | undefined>>): Record<string, z.ZodType> {
  return Object.fromEntries(Object.keys(keys).map((key) => [key, ignored()]));
}
