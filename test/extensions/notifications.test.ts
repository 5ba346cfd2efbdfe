/** Experimental capabilities are visible, and notifications no revision knows reach the clients they are for. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type Folder, gatewayFolder, type OwnGateway, startReadyGateway, stdioCommand } from '../e2e/gateway.ts';
import { inSession, modernRequest, openSession, send } from '../e2e/raw.ts';
import { until } from '../e2e/until.ts';
import { connectV1, type V1Client, type Way } from './sdk-v1.ts';
import { type Message, openStream, type Stream } from './stream.ts';

const CHANNEL = 'notifications/claude/channel';
const CAPABILITY = { 'claude/channel': { reply: true } };
const FIXTURE = { command: process.execPath, args: [`${import.meta.dirname}/../fixtures/mcp/stdio-channel.ts`] };
const SERVERS = { shared: FIXTURE, apart: { ...FIXTURE, isolation: 'caller' } };

let gateway: OwnGateway;
let folder: Folder & { remove(): void };
const streams: Stream[] = [];
const clients: V1Client[] = [];

beforeAll(async () => {
  gateway = await startReadyGateway({ servers: SERVERS });
  folder = gatewayFolder({ servers: SERVERS });
});
afterEach(async () => {
  for (const stream of streams.splice(0)) stream.close();
  await Promise.all(clients.splice(0).map((client) => client.close()));
});
afterAll(async () => {
  await gateway?.close();
  folder?.remove();
});

interface Session {
  stream: Stream;
  publish(tool: string, text: string): Promise<void>;
  channel(): Message[];
}

/** A legacy session with its GET stream. */
async function session(path: string): Promise<Session> {
  const url = gateway.at(path);
  const id = await openSession(url);
  const { headers } = inSession(id, '');
  const stream = await openStream(url, { method: 'GET', headers });
  streams.push(stream);
  return {
    stream,
    channel: () => stream.messages.filter(({ method }) => method === CHANNEL),
    async publish(name, text) {
      const { message } = await send(url, inSession(id, 'tools/call', { name, arguments: { text } }));
      expect(message.result).toMatchObject({ content: [{ text: 'published' }] });
    },
  };
}

const said = (text: string): Message => ({
  jsonrpc: '2.0',
  method: CHANNEL,
  params: { content: text, meta: { topic: 'news' }, _meta: { 'fixture/n': 1 } },
});

describe('an experimental capability', () => {
  it.each(['/mcp', '/servers/shared/mcp', '/servers/apart/mcp'])('is declared at %s in both eras', async (path) => {
    const url = gateway.at(path);
    const { message } = await send(url, modernRequest('server/discover'));
    expect(message.result?.capabilities).toMatchObject({ experimental: CAPABILITY });
    const client = await connectV1({ http: url });
    clients.push(client);
    expect(client.client.getServerCapabilities()?.experimental).toEqual(CAPABILITY);
  });
});

describe('an unknown notification', () => {
  it('reaches the sessions that see its server, unchanged, and no others', async () => {
    const [merged, own, other] = await Promise.all(
      ['/mcp', '/servers/shared/mcp', '/servers/apart/mcp'].map((path) => session(path)),
    );
    await merged?.publish('shared__publish', 'hello');
    for (const each of [merged, own]) {
      await until(
        () => each?.channel().length === 1,
        () => `the channel to be heard; heard ${JSON.stringify(each?.stream.messages)}`,
      );
      expect(each?.channel()).toEqual([said('hello')]);
    }
    // What would have come to it has come before this.
    await other?.publish('publish', 'mine');
    await until(() => (other?.channel().length ?? 0) > 0, 'the other’s own');
    expect(other?.channel()).toEqual([said('mine')]);
  });

  it('reaches its own session only, with isolation caller', async () => {
    const [one, two] = await Promise.all([session('/mcp'), session('/mcp')]);
    await one?.publish('apart__publish', 'for one');
    await two?.publish('apart__publish', 'for two');
    await until(() => one?.channel().length && two?.channel().length, 'both to hear');
    expect(one?.channel()).toEqual([said('for one')]);
    expect(two?.channel()).toEqual([said('for two')]);
  });

  it('reaches a client over stdio', async () => {
    const way: Way = { stdio: stdioCommand(folder) };
    const client = await connectV1(way);
    clients.push(client);
    for (const server of ['shared', 'apart']) {
      await until(async () => {
        const { tools } = await client.client.listTools();
        return tools.some(({ name }) => name === `${server}__publish`);
      }, `server '${server}'`);
      client.heard.length = 0;
      await client.client.callTool({ name: `${server}__publish`, arguments: { text: server } });
      await until(() => client.heard.find(({ method }) => method === CHANNEL), 'the channel to be heard');
      expect(client.heard.filter(({ method }) => method === CHANNEL)).toEqual([
        { method: CHANNEL, params: said(server).params },
      ]);
    }
  });
});
