import { afterEach, describe, expect, it, vi } from 'vitest';
import { FakeServer, federate, serverConfig } from '../federation/testing/fakes.ts';
import type { InternalGateway } from '../gateway-internal.ts';
import { untilTried } from './progress.ts';
import type { CommandContext } from './session.ts';
import { testIo } from './testing/io.ts';

describe('waiting for servers where there is no terminal', () => {
  afterEach(() => void vi.useRealTimers());

  it('says now and then which are awaited, and nothing where the wait is short', async () => {
    vi.useFakeTimers();
    const slow = new FakeServer('a');
    slow.connecting = 'hang';
    const { federation } = federate({ quick: new FakeServer('b'), slow });
    await federation.apply(['quick', 'slow'].map((name) => serverConfig(name, { connectTimeoutMs: 25_000 })));
    const io = testIo({ cwd: '/' });
    const context = { gateway: { federation } as InternalGateway, io, signal: new AbortController().signal };
    const tried = untilTried(context as unknown as CommandContext);
    await vi.advanceTimersByTimeAsync(9_000);
    expect(io.stderr.text).toBe('');
    await vi.advanceTimersByTimeAsync(16_000);
    await tried;
    const line = 'Connecting: 1 of 2 servers ready; waiting for slow\n';
    expect(io.stderr.text).toBe(line + line);
    await vi.advanceTimersByTimeAsync(30_000);
    expect(io.stderr.text).toBe(line + line);
    const closed = federation.close();
    await vi.advanceTimersByTimeAsync(10_000);
    await closed;
  });
});
