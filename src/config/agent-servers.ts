/**
 * Reads `AGENT_SERVERS`: URLs separated by spaces or commas, as mcp-agent-proxy reads them. Each becomes a server that is named
 * after its URL; its kind is detected.
 * @module
 */
import type { Findings } from './mistakes.ts';
import { nameOfUrl } from './names.ts';
import { serverFromUrl } from './server-entry.ts';
import type { ServerConfig } from './types.ts';
import { parseServerUrl } from './urls.ts';

/** Of one variable: far more than anyone lists, far less than would hurt. */
const MAX_URLS = 200;

/** Servers of the variable that are not in the file already. Mistakes are located by their number in the list. */
export function agentServers(value: string, fromFile: readonly ServerConfig[], findings: Findings): ServerConfig[] {
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
    const name = nameOfUrl(url, taken);
    taken.add(name);
    servers.push(serverFromUrl(name, url.href, 'env'));
  }
  return servers;
}
