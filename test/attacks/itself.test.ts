/** A gateway that is configured to connect to itself. */
import { afterEach, expect, it } from 'vitest';
import { FIXTURES_ALLOWED, type OwnGateway, startGateway } from '../e2e/gateway.ts';

const gateways: OwnGateway[] = [];
afterEach(async () => {
  for (const gateway of gateways.splice(0)) await gateway.close();
});

async function start(gateway: Record<string, unknown> = {}): Promise<OwnGateway> {
  const started = await startGateway({ gateway: { ...FIXTURES_ALLOWED, ...gateway } });
  gateways.push(started);
  return started;
}

it('the gateway refuses to connect to itself, by either of its addresses, and says why', async () => {
  const { gateway, url, at } = await start();
  for (const own of [url, at('/mcp').href.replace('127.0.0.1', 'localhost')]) {
    const result = await gateway.call('tools/call', { name: 'connectServer', arguments: { url: own } });
    expect(result).toMatchObject({ isError: true });
    expect(JSON.stringify(result.content)).toContain('leads back to the gateway itself');
  }
  expect(gateway.federation.members().map(({ name }) => name)).toEqual(['switchboard']);
});

it('the gateway connects to another gateway like to any server', async () => {
  const [one, other] = [await start(), await start()];
  const result = await one.gateway.call('tools/call', {
    name: 'connectServer',
    arguments: { url: other.url, name: 'other' },
  });
  const { tools } = (await other.gateway.call('tools/list')) as { tools: unknown[] };
  expect(result.structuredContent).toMatchObject({ status: 'connected', counts: { tools: tools.length } });
});
