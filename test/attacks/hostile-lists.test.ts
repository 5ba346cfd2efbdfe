/** Servers whose lists and greetings are made to hurt: what everybody else sees of the gateway stays whole and soon. */

import { isUtf8 } from 'node:buffer';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { readBody } from '../../adapters/testing/faults.ts';
import { cpuClock } from '../../src/core/testing/cpu.ts';
import { type OwnGateway, startGateway } from '../e2e/gateway.ts';
import { modernRequest, openSession } from '../e2e/raw.ts';

type Said = { greeting?: string; list?: string | Buffer };

const servers: Server[] = [];
let gateway: OwnGateway | undefined;
afterEach(async () => {
  await gateway?.close();
  gateway = undefined;
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
});

const GREETING = '"protocolVersion":"2025-11-25","serverInfo":{"name":"s","version":"1"}';

/** A legacy server whose replies are given byte by byte. */
async function saying({ greeting = `{${GREETING},"capabilities":{"tools":{}}}`, list }: Said): Promise<string> {
  const server = createServer(async (request, response) => {
    const message = request.method === 'POST' ? JSON.parse(await readBody(request)) : undefined;
    const reply = (result: string | Buffer): void => {
      response.writeHead(200, { 'content-type': 'application/json' });
      response.write(`{"jsonrpc":"2.0","id":${message.id},"result":`);
      response.write(result);
      response.end('}');
    };
    if (message?.id === undefined) response.writeHead(message ? 202 : 405).end();
    else if (message.method === 'initialize') reply(greeting);
    else if (message.method === 'tools/list') reply(list ?? '{"tools":[{"name":"t","inputSchema":{"type":"object"}}]}');
    else if (message.method === 'tools/call') reply('{"content":[{"type":"text","text":"fine"}]}');
    else response.writeHead(400).end();
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`;
}

const tools = (entries: string): string => `{"tools":[${entries}]}`;
const many = (count: number, entry: (i: number) => string): string =>
  Array.from({ length: count }, (_, i) => entry(i)).join(',');
const broken = Buffer.from(tools('{"name":"a","description":"?"},{"name":"b","description":"\\ud83d"}'));
broken[broken.indexOf('?')] = 0xff;

describe('beside a server', () => {
  it.each<[string, Said]>([
    ['whose list is a million numbers', { list: tools(many(1_000_000, () => '1')) }],
    ['that lists one tool half a million times', { list: tools(many(500_000, () => '{"name":"a"}')) }],
    ['whose list goes on for ever', { list: '{"tools":[],"nextCursor":"again"}' }],
    ['whose tools have names of megabytes', { list: tools(many(2, () => `{"name":"${'a.'.repeat(1_000_000)}://"}`)) }],
    ['whose texts are no texts', { list: broken }],
    [
      'whose tools are named after what every object has',
      { list: tools('{"name":"__proto__"},{"name":"constructor"}') },
    ],
    [
      'that declares megabytes',
      { greeting: `{${GREETING},"capabilities":{"tools":{},"experimental":{"x":"${'x'.repeat(4_000_000)}"}}}` },
    ],
    [
      'that introduces itself for megabytes',
      { greeting: `{${GREETING},"capabilities":{"tools":{}},"instructions":"${'x'.repeat(4_000_000)}"}` },
    ],
  ])('%s another one is listed and called without delay', async (_, said) => {
    const [good, hostile] = [await saying({}), await saying(said)];
    const cpu = cpuClock();
    gateway = await startGateway({
      servers: { good: { url: good, kind: 'mcp' }, hostile: { url: hostile, kind: 'mcp' } },
    });
    await gateway.gateway.federation.settled();

    const { headers, body = '' } = modernRequest('tools/list');
    const reply = await fetch(gateway.url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: 'application/json', ...headers },
      body,
    });
    const bytes = Buffer.from(await reply.arrayBuffer());
    expect(isUtf8(bytes)).toBe(true);
    expect(bytes.toString().isWellFormed()).toBe(true);
    // Written again, a half of a surrogate pair is an escape.
    expect(JSON.stringify(JSON.parse(bytes.toString()))).not.toMatch(/\\ud[89a-f]/);
    expect(bytes.toString()).toContain('good__t');
    const result = await gateway.gateway.call('tools/call', { name: 'good__t', arguments: {} });
    expect(result.content).toEqual([{ type: 'text', text: 'fine' }]);

    await openSession(gateway.url);
    const greeting = await gateway.gateway.call('initialize', { protocolVersion: '2025-11-25' });
    expect(JSON.stringify(greeting).length).toBeLessThan(50_000);
    expect(gateway.log().length).toBeLessThan(200_000);
    // Quadratic work on megabytes takes minutes.
    expect(cpu()).toBeLessThan(20_000);
  });
});
