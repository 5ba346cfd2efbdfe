/**
 * A first run: there is no `servers.json`, so the gateway has its builtin tools alone, and says how to go on.
 * @module
 */
import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { access, mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { LoadedConfig } from '../../load-config.ts';
import type { Painter } from '../output.ts';
import { httpSnippet } from './banner.ts';

/**
 * With what a first run keeps. A client on stdio starts its command in any folder at all, and nothing of the gateway belongs there; nor
 * is everything to fail in a folder that cannot be written. There a person at a terminal (`hasLink`) gets an admin token that ends with
 * the process, for the link that logs in.
 */
export async function firstRunConfig(
  config: LoadedConfig,
  { stdio, hasLink }: { stdio: boolean; hasLink: boolean },
): Promise<LoadedConfig> {
  const { stateDir } = config.gateway;
  if (!stdio && stateDir !== undefined && (await canBeWritten(stateDir))) return config;
  const adminToken = stdio || !hasLink ? undefined : randomBytes(32).toString('base64url');
  return { ...config, gateway: { ...config.gateway, stateDir: undefined }, policy: { ...config.policy, adminToken } };
}

async function canBeWritten(folder: string): Promise<boolean> {
  try {
    // Its parent is the current folder, which is there.
    await mkdir(folder, { mode: 0o700 }).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error;
    });
    await access(folder, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

/** What a log says of it, in place of the steps. */
export const firstRunNotice = ({ file = '' }: LoadedConfig): string =>
  `There is no servers.json in ${dirname(file)}: only the builtin tools are served. Name one with --config.`;

/** Why there is nothing here yet. */
export const firstRunLines = ({ file = '' }: LoadedConfig, paint: Painter): string[] => [
  `There is no ${paint('bold', 'servers.json')} in ${dirname(file)} yet. Until there is one, only the builtin tools are served.`,
  '',
];

const EXAMPLE =
  '{ "mcpServers": { "everything": { "command": "npx", "args": ["-y", "@modelcontextprotocol/server-everything"] } } }';

/** What to do next, in the order of doing it. */
export function nextSteps(url: string, { file = '', gateway }: LoadedConfig, paint: Painter): string[] {
  const number = (n: number): string => paint('bold', `${n}.`);
  const { stateDir, token } = gateway;
  const hasToken = token !== undefined;
  const header = hasToken ? " --header 'Authorization: Bearer <your token>'" : '';
  return [
    `${number(1)} Connect a client. Most take this:`,
    `     ${httpSnippet(url, hasToken)}`,
    '   Claude Code:',
    `     claude mcp add --transport http switchboard ${url}${header}`,
    `${number(2)} Add servers. Save this as ${file} and they join at once:`,
    `     ${EXAMPLE}`,
    '   Or take over those of Claude, Cursor, VS Code, Codex and others from their file:',
    '     npx agent-switchboard import <that file> --out servers.json',
    '   Or write one on the page of servers, or have your client call the tool connectServer with a URL.',
    '',
    stateDir === undefined
      ? 'Nothing is kept on disk: servers connected by URL are gone when this ends. Ctrl+C ends it.'
      : `Servers connected by URL and the admin token are kept in ${stateDir}. Ctrl+C ends it.`,
  ];
}
