import { expect, test } from 'vitest';
import { initialize, openSession, post, rpc, startEndpoint } from '../testing/http.ts';
import { acceptsOf } from './accept.ts';

test.each([
  [undefined, true, true, false],
  ['application/json, text/event-stream', true, true, false],
  ['text/event-stream, application/json', true, true, true],
  ['Application/JSON;q=0.5, Text/Event-Stream', true, true, true],
  ['text/event-stream;q=0.1, application/json', true, true, false],
  ['*/*', true, true, false],
  ['text/*', false, true, true],
  ['application/*;q=0.8', true, false, false],
  ['text/event-stream', false, true, true],
  ['application/json, text/event-stream;q=0', true, false, false],
  ['text/html', false, false, false],
  ['', false, false, false],
])('%s: JSON %s, stream %s, stream first %s', (header, json, stream, streamFirst) => {
  expect(acceptsOf(header)).toEqual({ json, stream, streamFirst });
});

test('a session whose client would rather have a stream gets one, which can be resumed', async () => {
  const endpoint = await startEndpoint();
  try {
    const session = await openSession(endpoint.url());
    const reply = await post(endpoint.url(), rpc(1, 'ping'), {
      ...session,
      accept: 'text/event-stream, application/json',
    });
    expect(reply.headers['content-type']).toBe('text/event-stream');
    await reply.text;
    expect(reply.events.map(({ id }) => id)).toEqual([expect.stringMatching(/-0$/), expect.stringMatching(/-1$/)]);
    expect(reply.messages()).toMatchObject([{ id: 1, result: {} }]);
  } finally {
    await endpoint.close();
  }
});

test('a client that takes streams only can open a session', async () => {
  const endpoint = await startEndpoint();
  try {
    const opened = await post(endpoint.url(), initialize(), { accept: 'text/event-stream' });
    expect(opened.headers['content-type']).toBe('text/event-stream');
    expect(opened.headers['mcp-session-id']).toMatch(/^[\w-]{8}\.[0-9a-f]{32}$/);
    await opened.text;
    expect(opened.messages()).toMatchObject([{ id: 0, result: { protocolVersion: '2025-11-25' } }]);
  } finally {
    await endpoint.close();
  }
});
