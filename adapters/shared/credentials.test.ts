/** Credentials per principal towards servers that are not MCP: every request of a call is its caller's. */
import type { IncomingMessage } from 'node:http';
import { afterEach, describe, expect, it } from 'vitest';
import { rotatingCredentials } from '../../src/auth/testing/rotating-credentials.ts';
import { credentialsFor } from '../../src/core/credentials.ts';
import { langgraphAdapter } from '../langgraph/index.ts';
import { json as answer, endAll, frame, STREAM, serve, streamed } from '../langgraph/testing/scripted-server.ts';
import { mastraAdapter } from '../mastra/index.ts';
import { closeAll, DONE, event, events, fakeMastra, finish, json } from '../mastra/testing/fake-mastra.ts';
import { fakeCall } from '../testing/call.ts';
import { fakeContext } from '../testing/context.ts';

afterEach(async () => {
  await closeAll();
  await endAll();
});

const callBy = (principal: string) => fakeCall({ caller: { principal } });
const bound = (url: string) => {
  const credentials = rotatingCredentials();
  return { vault: credentials, credentials: credentialsFor(credentials, { name: 'fixture', url, headers: {} }) };
};

describe('Mastra', () => {
  it('gets the credentials of each caller, and of the gateway where no call asks', async () => {
    const refused: string[] = [];
    const { server, sent } = await fakeMastra({
      'POST /api/agents/a/stream': (request, response) => {
        const { authorization } = request.headers;
        if (authorization !== 'Bearer ada-1')
          return events(event('text-delta', { text: 'hi' }), finish, DONE)(request, response);
        refused.push(authorization);
        json({ error: 'expired' }, 401)(request, response);
      },
    });
    const { credentials } = bound(server.origin);
    const context = fakeContext({ transport: 'http', url: server.origin, headers: {} }, { credentials });
    const upstream = await mastraAdapter.connect(context);
    const params = () => ({ agent: 'a', messages: [{ role: 'user', content: 'hi' }], stream: false });
    for (const principal of ['ada', 'bob']) await upstream.request('agents/call', params(), callBy(principal));
    await upstream.close();
    const carried = (part: string) =>
      new Set(sent.filter(({ line }) => line.includes(part)).map(({ headers }) => headers.authorization));
    expect(carried('/stream')).toEqual(new Set(['Bearer ada-1', 'Bearer ada-2', 'Bearer bob-1']));
    expect(refused).toHaveLength(1);
    expect(carried('agents?partial')).toEqual(new Set(['Bearer (gateway)-1']));
  });
});

describe('LangGraph', () => {
  it('gets the credentials of each caller, for its threads as for its runs', async () => {
    const carried: string[] = [];
    const noting =
      (then: typeof DONE): typeof DONE =>
      (response, request: IncomingMessage, body) => {
        carried.push(`${request.url?.replace(/[0-9a-f-]{36}/, '*')} ${request.headers.authorization}`);
        then(response, request, body);
      };
    const DONE = streamed(frame('values', { messages: [{ type: 'ai', content: 'hi' }] }));
    const made = noting((response, request, body) =>
      answer({ thread_id: JSON.parse(body).thread_id, metadata: JSON.parse(body).metadata })(response, request, body),
    );
    const { url } = await serve({ [STREAM]: noting(DONE), 'POST /threads': made });
    const { credentials } = bound(url);
    const upstream = await langgraphAdapter.connect(
      fakeContext({ transport: 'http', url, headers: {} }, { credentials }),
    );
    for (const principal of ['ada', 'bob']) {
      await upstream.request(
        'agents/call',
        { agent: 'graph-1', messages: [{ role: 'user', content: 'hi' }] },
        callBy(principal),
      );
    }
    await upstream.close();
    expect(carried).toEqual([
      '/threads Bearer ada-1',
      '/threads/*/runs/stream Bearer ada-1',
      '/threads Bearer bob-1',
      '/threads/*/runs/stream Bearer bob-1',
    ]);
  });
});
