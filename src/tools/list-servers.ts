/**
 * `listServers`: the servers behind the gateway and how they are. No addresses, no credentials.
 * @module
 */
import { z } from 'zod';
import type { Adapter } from '../core/adapter.ts';
import { line, plural } from '../core/text.ts';
import { serverJson, skippedText } from '../federation/server-json.ts';
import type { ServerStatus } from '../federation/types.ts';
import { counts, serverKind, serverState } from './schemas.ts';
import { countsOf, protocolOf } from './text.ts';
import { defineTool } from './tool.ts';

const server = (adapters: readonly Adapter[]) =>
  z.object({
    name: z.string(),
    title: z.string().optional().meta({ description: 'What the configuration calls it, where that cannot be a name.' }),
    kind: serverKind(adapters).optional().meta({ description: 'Absent until it is known.' }),
    state: serverState,
    transport: z.string().optional(),
    era: z.enum(['legacy', 'modern']).optional(),
    protocolVersion: z.string().optional(),
    stale: z.boolean().meta({ description: 'The server is away; what is listed of it is what it last offered.' }),
    counts,
    error: z.string().optional().meta({ description: 'Why it is not ready.' }),
    origin: z.enum(['file', 'env', 'runtime']).meta({ description: 'runtime: connected with connectServer.' }),
    since: z.string().meta({ description: 'Time of the last change of state, ISO 8601.' }),
    serverInfo: z
      .object({ name: z.string().optional(), title: z.string().optional(), version: z.string().optional() })
      .optional(),
    skipped: z
      .array(
        z.object({
          list: z.enum(['tools', 'prompts', 'resources', 'templates']),
          name: z.string(),
          reason: z.string(),
          clients: z.enum(['all', 'legacy']).meta({ description: 'Whose lists it is left out of.' }),
        }),
      )
      .optional()
      .meta({ description: 'Entries that are left out of lists because clients could not read them.' }),
  });

export const listServers = (adapters: readonly Adapter[]) =>
  defineTool({
    name: 'listServers',
    title: 'List servers',
    description:
      `The servers behind this gateway: name, kind (${adapters.map(({ kind }) => kind).join(', ')}), state, protocol, and how many tools, ` +
      'prompts, resources and agents each offers. A server that is not ready says why.',
    input: z.strictObject({}),
    output: z.object({ servers: z.array(server(adapters)) }),
    annotations: { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: false },
    async run(_input, { visible }) {
      const servers = visible.servers();
      const statuses = await visible.statuses(servers);
      const ready = statuses.filter((status) => status.state === 'ready').length;
      // A server that has not connected yet is no server that is broken: its tools are about to be there.
      const settling = servers.filter((server) => server.settling).length;
      const head =
        statuses.length === 0
          ? 'No servers are configured.'
          : `${plural(statuses.length, 'server')}, ${ready} ready${settling > 0 ? `, ${settling} still connecting for the first time` : ''}.`;
      return {
        structured: { servers: statuses.map(serverJson) },
        text: [head, ...statuses.flatMap((status) => [statusLine(status), ...skippedLines(status)])].join('\n'),
      };
    },
  });

const skippedLines = ({ skipped = [] }: ServerStatus): string[] =>
  skipped.map((entry) => `  - ${line(skippedText(entry), 300)}`);

function statusLine(status: ServerStatus): string {
  const protocol = protocolOf(status);
  const offers = status.state === 'ready' || status.stale ? `: ${countsOf(status)}` : '';
  const stale = status.stale ? ' when last seen' : '';
  const why = status.error ? `. ${line(status.error, 300)}` : '';
  const title = status.title === undefined ? '' : ` ("${line(status.title, 100)}")`;
  return `- ${status.name}${title}: ${status.state}${protocol ? ` (${protocol})` : ''}${offers}${stale}${why}`;
}
