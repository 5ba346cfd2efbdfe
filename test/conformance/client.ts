/**
 * `node test/conformance/client.ts --end legacy|modern URL`: the client under test of the suite's client scenarios. Starts
 * a gateway with the URL as its one upstream and makes the scenario's calls through it.
 * @module
 */
import { parseArgs } from 'node:util';
import { freePort } from '../../src/core/testing/free-port.ts';
import { LegacyEndClient } from './client/legacy.ts';
import { ModernEndClient } from './client/modern.ts';
import { STEPS } from './client/scenarios.ts';
import { startGateway } from './gateway.ts';

const { values, positionals } = parseArgs({
  options: { end: { type: 'string', default: 'legacy' } },
  allowPositionals: true,
});
const scenario = process.env.MCP_CONFORMANCE_SCENARIO ?? '';
const steps = STEPS[scenario];
if (!steps) throw new Error(`there are no steps for scenario '${scenario}'`);
const context = JSON.parse(process.env.MCP_CONFORMANCE_CONTEXT ?? '{}');

const { gateway, origin } = await startGateway(await freePort(), { mock: positionals[0] as string });
try {
  const url = `${origin}/servers/mock/mcp`;
  const client = values.end === 'modern' ? new ModernEndClient(url) : new LegacyEndClient(url);
  await client.open();
  await steps(client, context);
  await client.close();
} finally {
  await gateway.close();
}
