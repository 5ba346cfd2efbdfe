import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ADAPTERS } from '../../adapters/index.ts';
import { run } from '../../src/cli/program.ts';
import { testIo } from '../../src/cli/testing/io.ts';
import { openGateway } from '../../src/gateway.ts';
import { loadConfig } from '../../src/load-config.ts';
import { FIXTURES_ALLOWED, gatewayFolder, type OwnGateway, startGateway } from '../e2e/gateway.ts';
import { toyAdapter } from './toy/adapter.ts';
import { startToyServer, type ToyServer } from './toy/server.ts';

const adapters = [...ADAPTERS, toyAdapter];

describe('a kind of server that only this test knows', () => {
  let toy: ToyServer;
  let gateway: OwnGateway;
  let client: Client;

  beforeAll(async () => {
    toy = await startToyServer();
    gateway = await startGateway({
      servers: { found: { url: toy.url }, named: { url: toy.url, kind: 'toy', greeting: 'Good morning' } },
      gateway: FIXTURES_ALLOWED,
      embedded: { adapters },
    });
    await Promise.all([gateway.reaches('found', 'ready'), gateway.reaches('named', 'ready')]);
    client = new Client({ name: 'test', version: '1' });
    await client.connect(new StreamableHTTPClientTransport(new URL(gateway.url)));
  });

  afterAll(async () => {
    await client?.close();
    await gateway?.close();
    await toy?.stop();
  });

  const call = async (name: string, args: Record<string, unknown>): Promise<string> => {
    const { content } = await client.callTool({ name, arguments: args });
    return (content as { text: string }[]).map(({ text }) => text).join('\n');
  };

  it('is detected at its URL', () => {
    expect(gateway.status('found')).toMatchObject({ kind: 'toy', speaksMcp: false, transport: 'http' });
  });

  it('has its tools in the list, and its agents beside all others', async () => {
    const names = (await client.listTools()).tools.map(({ name }) => name);
    expect(names).toEqual(expect.arrayContaining(['found__greet', 'named__nap']));
    expect(await call('listAgents', {})).toContain('found/parrot');
  });

  it('is called with the options of its entry, or with their defaults', async () => {
    expect(await call('found__greet', { words: 'world' })).toBe('Hello, world!');
    expect(await call('named__greet', { words: 'world' })).toBe('Good morning, world!');
  });

  it('has agents that are called, and whose runs go on with its own options', async () => {
    expect(await call('callAgent', { agent: 'found/parrot', message: 'Polly' })).toBe('Polly');
    expect(await call('callAgent', { agent: 'found/parrot', options: { again: 'Polly again' } })).toBe('Polly again');
  });

  it('can be named by connectServer, whose texts and schemas have it', async () => {
    const { tools } = await client.listTools();
    const connectServer = tools.find(({ name }) => name === 'connectServer');
    // Only what a client may name a URL for: brokers are the operator's.
    const byUrl = adapters.filter(({ transports }) => transports.includes('auto'));
    const [toyLabel, ...others] = byUrl.map(({ label }) => label).toReversed();
    expect(connectServer?.description).toContain(`${others.toReversed().join(', ')} or ${toyLabel}`);
    expect(connectServer?.inputSchema.properties?.kind).toMatchObject({ enum: byUrl.map(({ kind }) => kind) });
    expect(await call('connectServer', { url: toy.url, name: 'third', kind: 'toy' })).toContain('third');
    expect(await call('third__greet', { words: 'there' })).toBe('Hello, there!');
  });

  it('is in the table of `check`', async () => {
    const folder = gatewayFolder({ servers: { found: { url: toy.url } } });
    const io = testIo({ cwd: folder.folder });
    const code = await run(['check'], io, (config, options) => openGateway(config, { ...options, adapters }));
    folder.remove();
    expect(io.stdout.text).toMatch(/^found +toy +- +http +3 +1 +ready/m);
    expect(code).toBe(0);
  });
});

describe('the configuration of kinds', () => {
  const load = async (servers: Record<string, Record<string, unknown>>): Promise<string> => {
    const { file, remove } = gatewayFolder({ servers });
    try {
      return JSON.stringify((await loadConfig({ file, env: {}, adapters })).servers);
    } catch (error) {
      return (error as Error).message;
    } finally {
      remove();
    }
  };

  it('takes a key of a kind from servers of that kind only', async () => {
    const url = 'http://127.0.0.1:9';
    expect(await load({ a: { url, kind: 'toy', greeting: 'Hi' } })).toContain('"options":{"greeting":"Hi"}');
    expect(await load({ a: { url, kind: 'mastra', greeting: 'Hi' } })).toContain(
      'greeting: found a key that only servers of the kind "toy" have',
    );
    expect(await load({ a: { url, greeting: 'Hi' } })).toContain('only servers of the kind "toy"');
    expect(await load({ a: { url, kind: 'toy', greeting: 7 } })).toContain('greeting: found 7; allowed: a string');
    expect(await load({ a: { url, kind: 'toi' } })).toContain('did you mean "toy"?');
    expect(await load({ a: { command: 'x', kind: 'toy' } })).toContain('found "toy" for a command');
  });
});
