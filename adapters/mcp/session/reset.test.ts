/** Sessions of callers that end on purpose after a failed call, and those that end with the connection. */
import { describe, expect, it, vi } from 'vitest';
import type { Upstream } from '../../../src/core/upstream.ts';
import { startV1Http, startV1Sse } from '../../../test/fixtures/mcp/http.ts';
import { codeOf } from '../../cases.ts';
import { fakeCall } from '../../testing/call.ts';
import { fakeMemory } from '../../testing/context.ts';
import { connections, textOf, toolCall } from '../testing/connected.ts';

const { connect, closing } = connections();

const session = async (upstream: Upstream, key: string): Promise<string> =>
  JSON.parse(textOf(await upstream.request(...toolCall('whoami'), fakeCall({ caller: { key } })))).session;

describe('resetSessionOnFailure', () => {
  it.each([
    ['a result with isError', 'fail', {}],
    ['arguments the server refuses', 'echo', { text: 1 }],
  ])('ends the caller’s session after %s, and nobody else’s', async (_what, tool, args) => {
    const { url } = closing(await startV1Http());
    const { upstream } = await connect(url, {
      isolation: 'caller',
      options: { resetSessionOnFailure: [tool] },
    });
    const [one, two] = [await session(upstream, 'one'), await session(upstream, 'two')];
    await upstream.request(...toolCall(tool, args), fakeCall({ caller: { key: 'one' } })).catch(() => {});
    expect(await session(upstream, 'one')).not.toBe(one);
    expect(await session(upstream, 'two')).toBe(two);
  });

  it('leaves sessions alone after calls of other tools, and after calls that succeed', async () => {
    const { url } = closing(await startV1Http());
    const { upstream } = await connect(url, { isolation: 'caller', options: { resetSessionOnFailure: ['ech*'] } });
    const before = await session(upstream, 'one');
    await upstream.request(...toolCall('echo', { text: 'x' }), fakeCall({ caller: { key: 'one' } }));
    await upstream.request(...toolCall('fail'), fakeCall({ caller: { key: 'one' } })).catch(() => {});
    expect(await session(upstream, 'one')).toBe(before);
  });
});

describe('a caller whose session ended with the connection', () => {
  it('is told once, by its first request on the next connection; a new caller is not', async () => {
    const memory = fakeMemory();
    const target = (url: string) => ({ transport: 'sse' as const, url, headers: {} });
    const first = await startV1Sse();
    const { upstream, context } = await connect(target(first.url), { isolation: 'caller', memory });
    await session(upstream, 'one');
    await first.close();
    await vi.waitFor(() => expect(context.downs).toHaveLength(1));
    const second = closing(await startV1Sse());
    const { upstream: again } = await connect(target(second.url), { isolation: 'caller', memory });
    await session(again, 'new');
    const failed = await session(again, 'one').catch((error: Error) => error);
    expect(codeOf(failed)).toBe('SWB_UPSTREAM_SESSION_LOST');
    expect(typeof (await session(again, 'one'))).toBe('string');
  });

  it('is not told of sessions that are renewed unnoticed', async () => {
    const memory = fakeMemory();
    const { url } = closing(await startV1Http());
    const { upstream } = await connect(url, { isolation: 'caller', memory });
    await session(upstream, 'one');
    await upstream.close();
    const { upstream: again } = await connect(url, { isolation: 'caller', memory });
    expect(typeof (await session(again, 'one'))).toBe('string');
  });
});
