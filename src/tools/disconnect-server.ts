/**
 * `disconnectServer`: a server connected at run time leaves and is forgotten.
 * @module
 */
import { z } from 'zod';
import { SwitchboardError } from '../core/errors.ts';
import { requireServer } from './agents.ts';
import { defineTool } from './tool.ts';

const ORIGINS = { file: 'the configuration file', env: 'the environment (AGENT_SERVERS)' } as const;

export const disconnectServer = defineTool({
  name: 'disconnectServer',
  title: 'Disconnect a server',
  description:
    'Takes out a server that was connected with connectServer and forgets it, headers included. Its tools, prompts, ' +
    'resources and agents leave the lists of all clients, and calls running on it end. Servers of the configuration ' +
    'cannot be taken out this way.',
  input: z.strictObject({
    name: z.string().min(1).max(256).meta({ description: 'Name of the server, as listServers shows it.' }),
  }),
  output: z.object({ name: z.string(), disconnected: z.literal(true) }),
  annotations: { readOnlyHint: false, destructiveHint: true, idempotentHint: false, openWorldHint: false },
  async run({ name }, { federation, visible, runtimeServers, connecting, call }) {
    const busy = connecting.get(name);
    // Also while it is being saved: what is taken out then would come back with the next start.
    if (busy && (busy.principal === call.caller.principal || visible.isWhole || visible.server(name))) {
      throw new SwitchboardError('SWB_CONNECT_FAILED', `Server '${name}' is being connected at this moment.`, {
        retryAfterMs: 1_000,
      });
    }
    // A saved server that is not in the federation has nothing to tell who may reach it: it is there for those from whom
    // nothing is kept.
    if (visible.isWhole && !federation.member(name) && (await runtimeServers.delete(name))) return done(name);
    const { origin } = requireServer(visible, name).config;
    if (origin !== 'runtime') {
      throw new SwitchboardError(
        'SWB_NOT_SUPPORTED',
        `Server '${name}' comes from ${ORIGINS[origin]}. Only servers connected with connectServer can be disconnected.`,
      );
    }
    // Forgotten first: a server that left but came back after a restart would be worse than the opposite.
    await runtimeServers.delete(name);
    await federation.remove(name);
    return done(name);
  },
});

const done = (name: string) => ({
  structured: { name, disconnected: true as const },
  text: `Disconnected '${name}'. It is forgotten and does not come back after a restart.`,
});
