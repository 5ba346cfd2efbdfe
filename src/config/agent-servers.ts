/**
 * Reads `AGENT_SERVERS`: URLs separated by spaces or commas, as mcp-agent-proxy reads them. Each becomes a server whose kind is
 * detected. It is called `server0`, `server1`, … as that program calls it, or after its URL.
 * @module
 */
import type { Environment } from './expand.ts';
import type { Findings } from './mistakes.ts';
import { nameOfUrl } from './names.ts';
import { serverFromUrl } from './server-entry.ts';
import type { ServerConfig } from './types.ts';
import { parseServerUrl } from './urls.ts';

/** Of one variable: far more than anyone lists, far less than would hurt. */
const MAX_URLS = 200;

/** Servers of the variable that are not in the file already. Mistakes are located by their number in the list. */
export function agentServers(
  value: string,
  fromFile: readonly ServerConfig[],
  numbered: boolean,
  findings: Findings,
): ServerConfig[] {
  const words = value.split(/[\s,]+/).filter((word) => word !== '');
  if (words.length > MAX_URLS) {
    findings.mistake([], `found ${words.length} addresses; allowed: ${MAX_URLS}`);
    return [];
  }
  const taken = new Set(fromFile.map((server) => server.name));
  const known = new Set(fromFile.flatMap(({ target }) => (target.transport === 'stdio' ? [] : [target.url])));
  const servers: ServerConfig[] = [];
  for (const [index, word] of words.entries()) {
    const url = parseServerUrl(word);
    if (typeof url === 'string') {
      findings.mistake([index], url);
      continue;
    }
    if (known.has(url.href)) continue;
    known.add(url.href);
    const name = numbered ? numberedName(index, taken) : nameOfUrl(url, taken);
    taken.add(name);
    servers.push(serverFromUrl(name, url.href, 'env'));
  }
  return servers;
}

/** `server` and the place in the list; the next number that is free, where the file has a server of that name. */
function numberedName(index: number, taken: ReadonlySet<string>): string {
  for (let n = index; ; n++) if (!taken.has(`server${n}`)) return `server${n}`;
}

/** The port that mcp-agent-proxy would listen on, where `MCP_SERVER_PORT` names one; it passes over what is no port. */
export function portOfProxy({ MCP_SERVER_PORT: text = '' }: Environment): { port?: number } {
  const port = Number(text);
  return /^\d{1,5}$/.test(text) && port > 0 && port <= 65_535 ? { port } : {};
}
