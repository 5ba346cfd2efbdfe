/** A program that embeds the gateway. `types.test.ts` compiles it against the built types; nothing runs it. */
import { createServer } from 'node:http';
import {
  type Adapter,
  type Authenticator,
  type CallOptions,
  type Config,
  createGateway,
  createLog,
  defineConfig,
  type Gateway,
  type GatewayOptions,
  type Hook,
  type Identity,
  loadConfig,
  readConfig,
  type ServerStatus,
  SwitchboardError,
} from '../../src/index.ts';

const noShouting: Hook = {
  phases: ['call.before'],
  decide: ({ args }) => (args?.shout === true ? { effect: 'deny', reason: 'No.' } : { effect: 'allow' }),
};

const auth: Authenticator = {
  authenticate: async ({ headers }): Promise<Identity> => ({
    principal: String(headers['x-user']),
    grant: undefined,
    claims: { tier: 1 },
  }),
  isValid: () => true,
};

const options: GatewayOptions = defineConfig({
  servers: {
    everything: { command: 'npx', args: ['-y', '@modelcontextprotocol/server-everything'], concurrency: 4 },
    remote: { url: 'https://example.com/mcp', headers: { authorization: 'Bearer x' }, policy: 'policies/remote.json' },
  },
  port: 0,
  policy: { version: '1', default: 'allow', tools: { remote__drop: { action: 'deny', reason: 'No.' } } },
  hooks: [
    noShouting,
    () => noShouting,
    { hook: noShouting, name: 'quiet', servers: ['remote'] },
    { use: 'cap-result' },
  ],
  limits: { maxBodyBytes: 65_536 },
  state: '.state',
  auth,
  log: createLog('warn'),
});

const gateway: Gateway = await createGateway(options);
createServer(gateway.handler);
const response: Response = await gateway.fetch(new Request('http://localhost/mcp'));
const call: CallOptions = { as: { principal: 'ada', grant: undefined, claims: {} }, signal: AbortSignal.timeout(1) };
const result = await gateway.call('tools/call', { name: 'everything__echo' }, call);
const statuses: ServerStatus[] = gateway.servers();
const { url } = await gateway.listen();
const connection = gateway.serveStdio();
await connection.close();
await gateway.explain({ kind: 'tool', name: 'everything__echo' });
await gateway.close();

const config: Config = await loadConfig({ file: 'servers.json' });
const kinds: Adapter['kind'][] = [];
await using second = await createGateway(config, { log: createLog('silent') });
await second.reload(await readConfig('{}', undefined, {}));
try {
  await createGateway({ servers: { broken: {} } });
} catch (error) {
  if (error instanceof SwitchboardError) console.log(error.code, error.data);
}

// @ts-expect-error: an unknown key is a mistake while it is written.
await createGateway({ severs: {} });
// @ts-expect-error: so is a value of another type.
await createGateway({ port: 'any' });

export { kinds, response, result, statuses, url };
