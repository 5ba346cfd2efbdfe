import { afterEach, describe, expect, test } from 'vitest';
import {
  type Answerer,
  clientV1,
  clientV2,
  type FetchLike,
  httpV1,
  httpV2,
  sseV1,
  sseV2,
  type TestClient,
} from '../testing/clients.ts';
import { listenOn, openStream, startEndpoint, type TestEndpoint, until } from '../testing/http.ts';

let endpoint: TestEndpoint;
let client: TestClient | undefined;
afterEach(async () => {
  await client?.close();
  client = undefined;
  await endpoint.close();
});

interface Kind {
  name: string;
  legacy: boolean;
  version: string | undefined;
  connect(answer?: Answerer): Promise<TestClient>;
}

/** Resolves after a quiet stream of this endpoint got three keep-alives. */
async function timePasses(): Promise<void> {
  const clock = await openStream(endpoint.url('/sse'));
  await until(() => clock.comments >= 3, 'time has passed');
  clock.abort();
}

const KINDS: Kind[] = [
  { name: 'v1', legacy: true, version: '2025-11-25', connect: (answer) => clientV1(httpV1(endpoint.url()), answer) },
  {
    name: 'v1 over old SSE',
    legacy: true,
    version: undefined,
    connect: (answer) => clientV1(sseV1(endpoint.url('/sse')), answer),
  },
  {
    name: 'v2 legacy',
    legacy: true,
    version: '2025-11-25',
    connect: (answer) => clientV2(httpV2(endpoint.url()), 'legacy', answer),
  },
  {
    name: 'v2 over old SSE',
    legacy: true,
    version: '2025-11-25',
    connect: (answer) => clientV2(sseV2(endpoint.url('/sse')), 'legacy', answer),
  },
  {
    name: 'v2 auto',
    legacy: false,
    version: '2026-07-28',
    connect: (answer) => clientV2(httpV2(endpoint.url()), 'auto', answer),
  },
  {
    name: 'v2 pinned',
    legacy: false,
    version: '2026-07-28',
    connect: (answer) => clientV2(httpV2(endpoint.url()), { pin: '2026-07-28' }, answer),
  },
];

describe.each(KINDS)('SDK client $name', ({ legacy, version, connect }) => {
  test('connects, lists and calls', async () => {
    endpoint = await startEndpoint();
    client = await connect();
    if (version !== undefined) expect(client.version()).toBe(version);
    expect(endpoint.relay.requests[0]?.caller.era).toBe(legacy ? 'legacy' : 'modern');
    expect(await client.tools()).toContain('echo');
    expect(await client.call('echo', { ü: 1 })).toBe('{"ü":1}');
    expect(client.errors).toEqual([]);
  });

  test('sees progress', async () => {
    endpoint = await startEndpoint();
    client = await connect();
    const seen: number[] = [];
    expect(await client.call('progress', { steps: 3 }, { onprogress: ({ progress }) => seen.push(progress) })).toBe(
      'done',
    );
    expect(seen).toEqual([1, 2, 3]);
  });

  test('gets errors as errors', async () => {
    endpoint = await startEndpoint();
    client = await connect();
    await expect(client.call('fail', { code: 77 })).rejects.toThrow('from the upstream');
    await expect(client.call('nothing')).rejects.toThrow('Unknown tool');
    expect(await client.call('echo')).toBe('{}');
  });

  test('withdraws a call, and goes on working without complaints', async () => {
    endpoint = await startEndpoint();
    client = await connect();
    for (const tool of ['wait', 'linger']) {
      const before = endpoint.relay.cancelled.length;
      const controller = new AbortController();
      const pending = client.call(tool, {}, { signal: controller.signal });
      const failed = expect(pending).rejects.toThrow();
      await until(() => endpoint.relay.requests.some(({ request }) => request.params?.name === tool), 'the call runs');
      controller.abort('enough');
      await failed;
      await until(() => endpoint.relay.cancelled.length === before + 1, 'the call is cancelled');
    }
    expect(await client.call('echo')).toBe('{}');
    expect(client.errors).toEqual([]);
  });

  test('a slow call is kept alive and answered', async () => {
    endpoint = await startEndpoint({ timing: { keepAliveMs: 30 } });
    client = await connect();
    const pending = client.call('wait');
    await until(() => endpoint.relay.requests.some(({ request }) => request.params?.name === 'wait'), 'the call runs');
    await timePasses();
    await endpoint.relay.close();
    expect(await pending).toBe('waited');
    expect(client.errors).toEqual([]);
  });
});

describe.each(KINDS.filter(({ legacy }) => legacy))('legacy SDK client $name', ({ connect }) => {
  test('answers questions, several calls at once', async () => {
    endpoint = await startEndpoint();
    client = await connect((message) => ({ echo: message }));
    const asked = ['a', 'b', 'c'].map((question) => client?.call('ask', { question }));
    expect((await Promise.all(asked)).map((text) => JSON.parse(text ?? '').content)).toEqual([
      { echo: 'a' },
      { echo: 'b' },
      { echo: 'c' },
    ]);
  });

  test('is notified of changes', async () => {
    endpoint = await startEndpoint();
    client = await connect();
    await until(() => {
      for (const session of endpoint.relay.sessions) {
        session.notify({ jsonrpc: '2.0', method: 'notifications/tools/list_changed' });
      }
      return (client?.listChanges() ?? 0) > 0;
    }, 'the change arrives');
  });
});

test('a modern client subscribes, is notified of changes, and closes', async () => {
  endpoint = await startEndpoint();
  const v2 = await clientV2(httpV2(endpoint.url()), 'auto');
  client = v2;
  const subscription = await v2.client.listen({ toolsListChanged: true });
  await until(() => v2.listChanges() === 1, 'the change arrives');
  await subscription.close();
  await until(() => endpoint.relay.cancelled.length === 1, 'the subscription is cancelled');
});

describe.each(KINDS.filter(({ name }) => name === 'v1' || name === 'v2 legacy'))('resuming: $name', ({ connect }) => {
  test('resumes a stream that breaks, and gets the result of its call', async () => {
    endpoint = await startEndpoint({ timing: { retryMs: 10 } });
    client = await connect();
    const pending = client.call('linger');
    await until(
      () => endpoint.relay.requests.some(({ request }) => request.params?.name === 'linger'),
      'the call runs',
    );
    const [session] = endpoint.relay.sessions;
    const headers = { 'mcp-session-id': session?.id ?? '', 'mcp-protocol-version': '2025-11-25' };
    // Taking the stream over ends the client's connection without an answer, as a network fault would.
    const taken = await Promise.any(
      ['r1-0', 'r2-0', 'r3-0'].map(async (id) => {
        const reply = await listenOn(endpoint.url(), headers, id);
        if (reply.status !== 200) throw new Error('not this one');
        return reply;
      }),
    );
    await until(() => taken.events.length > 0, 'the stream is taken');
    await taken.text;
    await endpoint.relay.close();
    expect(await pending).toBe('waited');
  });
});

describe.each([
  { name: 'v1', connect: (fetch: FetchLike) => clientV1(httpV1(endpoint.url(), fetch)), resumes: [204] },
  { name: 'v2', connect: (fetch: FetchLike) => clientV2(httpV2(endpoint.url(), fetch), 'legacy'), resumes: [] },
])('SDK client $name', ({ connect, resumes }) => {
  test('comes back at most once for an error at the end of a stream', async () => {
    endpoint = await startEndpoint({ timing: { retryMs: 10, keepAliveMs: 30 } });
    const statuses: number[] = [];
    client = await connect(async (url, init) => {
      const response = await fetch(url, init);
      if (new Headers(init?.headers).has('last-event-id')) statuses.push(response.status);
      return response;
    });
    endpoint.relay.on('tools/call', ({ inbound }) => {
      inbound.channel.notify({ jsonrpc: '2.0', method: 'notifications/message', params: { level: 'info', data: 1 } });
      throw new Error('inner');
    });
    await expect(client.call('x')).rejects.toThrow('The gateway failed');
    await until(() => statuses.length >= resumes.length, 'the client has come back');
    await timePasses();
    expect(statuses).toEqual(resumes);
    expect(client.errors).toEqual([]);
  });
});
