/** An authenticator that takes its time, or fails, at the edge of the HTTP endpoint. */
import { connect } from 'node:net';
import { expect, test } from 'vitest';
import { headerAuthenticator } from '../../auth/testing/header-authenticator.ts';
import type { Authenticator, Identity } from '../../core/identity.ts';
import type { Log } from '../../core/log.ts';
import { call, initialize, modern, modernHeaders, openStream, post, postModern, rpc, until } from '../testing/http.ts';
import { testEndpoint } from '../testing/test-endpoint.ts';

const ada = (claims: Record<string, string> = {}) => ({ 'x-user': 'ada', 'x-grant': 'team', ...claims });
const LIST = modern(1, 'tools/list');

test('every kind of request waits for the authenticator, and its caller has the identity that was found', async () => {
  const endpoint = await testEndpoint({ auth: headerAuthenticator() });
  expect((await postModern(endpoint.url(), LIST, ada())).status).toBe(200);
  expect((await post(endpoint.url(), initialize(), ada())).status).toBe(200);
  const channel = await openStream(endpoint.url('/sse'), ada());
  await until(() => channel.events.length === 1, 'the address is announced');
  await post(new URL(String(channel.events[0]?.data), endpoint.url('/sse')), initialize('2024-11-05'), ada());
  await until(() => endpoint.relay.requests.length === 3, 'all have arrived');
  for (const { caller } of endpoint.relay.requests) {
    expect([caller.principal, caller.identity.grant]).toEqual(['ada', 'team']);
  }
  expect((await postModern(endpoint.url(), LIST)).status).toBe(401);
  channel.abort();
});

test('a channel of the old transport is unknown to another identity', async () => {
  const endpoint = await testEndpoint({ auth: headerAuthenticator() });
  const channel = await openStream(endpoint.url('/sse'), ada());
  await until(() => channel.events.length === 1, 'the address is announced');
  const address = new URL(String(channel.events[0]?.data), endpoint.url('/sse'));
  const others: Record<string, string>[] = [{ 'x-user': 'bob', 'x-grant': 'team' }, { 'x-user': 'ada' }];
  for (const other of others) {
    expect((await post(address, initialize('2024-11-05'), other)).status).toBe(404);
  }
  channel.abort();
});

test('the calls of a session carry the claims of the request that brought them', async () => {
  const endpoint = await testEndpoint({ auth: headerAuthenticator() });
  const opened = await post(endpoint.url(), initialize(), ada({ 'x-team': 'red' }));
  const session = { 'mcp-session-id': String(opened.headers['mcp-session-id']) };
  await post(endpoint.url(), rpc(1, 'ping'), { ...session, ...ada({ 'x-team': 'blue' }) });
  expect(endpoint.relay.requests.map(({ caller }) => caller.identity.claims)).toEqual([
    { team: 'red' },
    { team: 'blue' },
  ]);
});

test('a request whose client leaves before it is authenticated is never begun', async () => {
  const asked = Promise.withResolvers<void>();
  const found = Promise.withResolvers<Identity>();
  const auth: Authenticator = {
    authenticate: ({ headers }) => {
      if (headers['x-user'] === 'eve') return { principal: 'eve', grant: undefined, claims: {} };
      asked.resolve();
      return found.promise;
    },
    isValid: () => true,
  };
  const endpoint = await testEndpoint({ auth });
  const body = JSON.stringify(call(1, 'echo'));
  const socket = connect(endpoint.port, '127.0.0.1');
  socket.on('error', () => {});
  socket.write(
    `POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n`,
  );
  await asked.promise;
  socket.destroy();
  await new Promise((resolve) => socket.once('close', resolve));
  // The endpoint has seen the end of that connection once it has answered another one.
  await postModern(endpoint.url(), LIST, { 'x-user': 'eve' });
  found.resolve({ principal: 'ada', grant: undefined, claims: {} });
  await postModern(endpoint.url(), LIST, { 'x-user': 'eve' });
  expect(endpoint.relay.requests.map(({ caller }) => caller.principal)).toEqual(['eve', 'eve']);
});

test('a stream whose client leaves before it is authenticated is never opened, and takes no place', async () => {
  const asked = Promise.withResolvers<void>();
  const found = Promise.withResolvers<Identity>();
  const auth: Authenticator = {
    authenticate: ({ headers }) => {
      if (headers['x-user'] === 'eve') return { principal: 'eve', grant: undefined, claims: {} };
      asked.resolve();
      return found.promise;
    },
    isValid: () => true,
    severalPrincipals: false,
  };
  const endpoint = await testEndpoint({ auth, limits: { maxStreams: 1 } });
  const socket = connect(endpoint.port, '127.0.0.1');
  socket.on('error', () => {});
  socket.write('GET /sse HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n');
  await asked.promise;
  socket.destroy();
  await new Promise((resolve) => socket.once('close', resolve));
  // The endpoint has seen the end of that connection once it has answered another one.
  await postModern(endpoint.url(), LIST, { 'x-user': 'eve' });
  found.resolve({ principal: 'ada', grant: undefined, claims: {} });
  await postModern(endpoint.url(), LIST, { 'x-user': 'eve' });
  const channel = await openStream(endpoint.url('/sse'), { 'x-user': 'eve' });
  await until(() => channel.events.length === 1, 'the only place for a stream is free');
  channel.abort();
});

test.each(['at once', 'later'])(
  'an authenticator that fails %s is logged, and its reason reaches no client',
  async (when) => {
    const errors: unknown[] = [];
    const log: Log = { debug() {}, info() {}, warn() {}, error: (fields) => errors.push(fields) };
    const fault = new Error('ldap://10.0.0.7 is down');
    const auth: Authenticator = {
      authenticate: () => {
        if (when === 'at once') throw fault;
        return Promise.reject(fault);
      },
      isValid: () => true,
    };
    const endpoint = await testEndpoint({ auth, log });
    const failed = await postModern(endpoint.url(), LIST);
    const text = await failed.text;
    expect([failed.status, text.includes('10.0.0.7')]).toEqual([500, false]);
    expect(text).toContain('SWB_INTERNAL');
    expect(errors).toMatchObject([{ err: fault }]);
  },
);

test.each(['', 'ada\nresearch'])(
  'an identity with the principal %j is refused, as its keys could be those of another',
  async (principal) => {
    const errors: unknown[] = [];
    const log: Log = { debug() {}, info() {}, warn() {}, error: (fields) => errors.push(fields) };
    const identity = { principal, grant: undefined, claims: {} };
    const endpoint = await testEndpoint({ auth: { authenticate: () => identity, isValid: () => true }, log });
    expect((await postModern(endpoint.url(), LIST)).status).toBe(500);
    expect(errors).toMatchObject([{ err: expect.any(TypeError) }]);
    expect(endpoint.relay.requests).toEqual([]);
  },
);

test('a body that arrives after its credentials were revoked is refused', async () => {
  const auth = headerAuthenticator();
  let version = 0;
  const endpoint = await testEndpoint({
    auth: {
      authenticate: auth.authenticate,
      isValid: auth.isValid,
      get version() {
        return version;
      },
    },
  });
  const headers = { ...modernHeaders(LIST), ...ada(), host: 'localhost', 'content-type': 'application/json' };
  const lines = Object.entries({
    ...headers,
    'content-length': String(JSON.stringify(LIST).length),
    connection: 'close',
  });
  const socket = connect(endpoint.port, '127.0.0.1');
  let reply = '';
  socket.on('data', (chunk) => {
    reply += chunk;
  });
  const [first, rest] = [JSON.stringify(LIST).slice(0, 5), JSON.stringify(LIST).slice(5)];
  socket.write(`POST /mcp HTTP/1.1\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n${first}`);
  await postModern(endpoint.url(), LIST, { 'x-user': 'eve' });
  auth.blocked.add('ada');
  version++;
  socket.write(rest);
  await new Promise((resolve) => socket.once('close', resolve));
  expect(reply).toMatch(/^HTTP\/1\.1 403 /);
  expect(endpoint.relay.requests.map(({ caller }) => caller.principal)).toEqual(['eve']);
});
