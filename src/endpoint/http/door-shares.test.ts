/** Connections and unfinished bodies of a greedy principal, at the edge of the HTTP endpoint. */
import { Agent } from 'node:http';
import { connect, type Socket } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { headerAuthenticator } from '../../auth/testing/header-authenticator.ts';
import { modern, modernHeaders, postModern, send, until } from '../testing/http.ts';
import { testEndpoint } from '../testing/test-endpoint.ts';

const LIST = modern(1, 'tools/list');
const sockets: Socket[] = [];
const agents: Agent[] = [];

afterEach(() => {
  for (const socket of sockets.splice(0)) socket.destroy();
  for (const agent of agents.splice(0)) agent.destroy();
});

/** Sends the head of a request and half of its body. Gives what comes back. */
function slowBody(port: number, user: string, bytes: number): { received: () => string } {
  const socket = connect(port, '127.0.0.1');
  sockets.push(socket);
  let received = '';
  socket.on('data', (chunk) => {
    received += chunk;
  });
  socket.on('error', () => {});
  socket.write(
    `POST /mcp HTTP/1.1\r\nHost: localhost\r\nX-User: ${user}\r\nContent-Type: application/json\r\nContent-Length: ${2 * bytes}\r\n\r\n`,
  );
  socket.write('x'.repeat(bytes));
  return { received: () => received };
}

test('bodies that one principal never finishes are bounded, and cost others nothing', async () => {
  const endpoint = await testEndpoint({ auth: headerAuthenticator(), limits: { maxBodyBytes: 20_000 } });
  // Half of 16 bodies of the largest size fit: 16 that stop in the middle.
  const slow = Array.from({ length: 120 }, () => slowBody(endpoint.port, 'greedy', 10_000));
  const answered = () => slow.filter(({ received }) => received() !== '');
  await until(() => answered().length >= 104, 'those beyond the share to be refused');
  expect(answered()).toHaveLength(104);
  for (const { received } of answered()) {
    expect(received()).toMatch(/^HTTP\/1\.1 503 /);
    expect(received()).toContain('"code":"SWB_BUSY"');
    expect(received()).toContain('This grant has 160000 bytes of unfinished request bodies');
  }
  const text = 'y'.repeat(15_000);
  // In pieces of unknown number, so that it is counted.
  const inPieces = (user: string) => ({ 'x-user': user, 'transfer-encoding': 'chunked' });
  const large = modern(1, 'tools/call', { name: 'echo', arguments: { text } });
  for (const user of ['ada', 'bob']) expect((await postModern(endpoint.url(), large, inPieces(user))).status).toBe(200);
  expect((await postModern(endpoint.url(), large, inPieces('greedy'))).status).toBe(503);
  // What is finished or given up is counted no more.
  for (const socket of sockets.splice(0)) socket.destroy();
  await expect.poll(async () => (await postModern(endpoint.url(), large, inPieces('greedy'))).status).toBe(200);
});

test('connections beyond the share of a principal are refused and closed, and others have theirs', async () => {
  const endpoint = await testEndpoint({ auth: headerAuthenticator(), limits: { maxConnections: 10 } });
  const ask = async (user: string) => {
    const agent = new Agent({ keepAlive: true });
    agents.push(agent);
    const headers = { 'content-type': 'application/json', accept: 'application/json', ...modernHeaders(LIST) };
    const reply = await send(endpoint.url(), {
      headers: { ...headers, 'x-user': user },
      body: JSON.stringify(LIST),
      agent,
    });
    return { status: reply.status, connection: reply.headers.connection, text: await reply.text };
  };
  const greedy = [];
  for (let i = 0; i < 30; i++) greedy.push(await ask('greedy'));
  expect(greedy.filter(({ status }) => status === 200)).toHaveLength(5);
  expect(greedy.at(-1)).toMatchObject({
    status: 503,
    connection: 'close',
    text: expect.stringContaining('This grant has 5 connections open'),
  });
  for (let i = 0; i < 9; i++) expect((await ask(`other ${i}`)).status).toBe(200);
  // Connections that are closed free their places.
  for (const agent of agents.splice(0)) agent.destroy();
  await expect.poll(async () => (await ask('greedy')).status).toBe(200);
});
