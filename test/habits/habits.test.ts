import { describe, expect, it, vi } from 'vitest';
import { codeOf } from '../../adapters/cases.ts';
import { connections, textOf, toolCall } from '../../adapters/mcp/testing/connected.ts';
import { fakeCall, fakeCaller } from '../../adapters/testing/call.ts';
import type { ContextOverrides } from '../../adapters/testing/context.ts';
import { playHabit, type Script } from './server.ts';
import { FRAMINGS, GONE, KEPT, MODERN, PROBES, REFUSALS, UNKNOWN, VERSIONS } from './table.ts';

const { connect, closing } = connections();

async function connected(script: Script, overrides?: ContextOverrides) {
  const server = closing(await playHabit(script));
  const { upstream, context } = await connect(server.url, overrides);
  const caller = fakeCaller();
  return {
    server,
    upstream,
    context,
    call: () => upstream.request(...toolCall('x'), fakeCall({ caller })),
    count: (method: string): number => server.received.filter((each) => each.method === method).length,
  };
}

describe('a reply as servers of other SDKs frame it', () => {
  it.each(FRAMINGS)('$sdk $versions: $how ($source)', async ({ sends }) => {
    const { call } = await connected({ reply: sends });
    expect(textOf(await call())).toBe('fine');
    // The one after it is framed the same way and must not meet what is left of it.
    expect(textOf(await call())).toBe('fine');
  });
});

describe('a session that a server of another SDK does not know any more', () => {
  it.each(GONE)('$sdk $versions: is opened again, and the call runs once ($source)', async ({ sends }) => {
    for (const isolation of ['shared', 'caller'] as const) {
      const { server, call, count, context } = await connected({ gone: sends }, { isolation });
      expect(textOf(await call())).toBe('fine');
      const opened = count('initialize');
      // A GET stream that ends is opened again after a moment, which would show the gateway's own session to be lost too.
      server.forget('silent');
      expect(textOf(await call()), isolation).toBe('fine');
      expect(count('initialize'), isolation).toBe(opened + 1);
      expect(count('tools/call'), isolation).toBe(2);
      expect(context.downs).toEqual([]);
    }
  });

  it('is opened again before any call where it is said on the GET stream, in each of these ways', async () => {
    const reopened = GONE.map(async ({ sdk, versions, sends }) => {
      const { server, count, context } = await connected({ gone: sends });
      server.forget('ended');
      await vi.waitFor(() => expect(count('initialize'), `${sdk} ${versions}`).toBe(2), { timeout: 10_000 });
      expect(context.downs).toEqual([]);
    });
    await Promise.all(reopened);
  });

  it.each(KEPT)('is not taken for lost where the server says: $says', async ({ sends, code }) => {
    const { call, count } = await connected({ reply: sends });
    const failed = await call().catch((error: Error) => error);
    expect(codeOf(failed as Error)).toBe(code);
    expect([count('initialize'), count('tools/call')]).toEqual([1, 1]);
  });

  it('is not taken for lost by its GET stream either where the server says something else', async () => {
    const kept = KEPT.filter(({ sends }) => sends.status < 500).map(async ({ says, sends }) => {
      const { server, count } = await connected({ gone: sends });
      server.forget('ended');
      await vi.waitFor(() => expect(server.refused, says).toBeGreaterThan(0), { timeout: 10_000 });
      expect(count('initialize'), says).toBe(1);
    });
    await Promise.all(kept);
  });
});

describe('the modern probe, sent to a legacy server of another SDK', () => {
  it.each(PROBES)('$sdk $versions: shows that it is legacy ($source)', async ({ sends }) => {
    const { upstream, call, count } = await connected({ discover: sends });
    expect(upstream.era).toBe('legacy');
    expect(count('initialize')).toBe(1);
    expect(textOf(await call())).toBe('fine');
  });
});

describe('the modern probe, sent to a modern server of another SDK', () => {
  it.each(MODERN)('$sdk $versions: shows that it is modern ($source)', async ({ sends }) => {
    const { upstream, call, count } = await connected({ discover: sends });
    expect([upstream.era, upstream.protocolVersion]).toEqual(['modern', '2026-07-28']);
    expect(textOf(await call())).toBe('fine');
    expect(count('initialize')).toBe(0);
  });
});

describe('a server of another SDK that refuses members of capabilities', () => {
  it.each(REFUSALS)('$sdk $versions: gets $strictAbout without them ($source)', async ({ strictAbout, sends }) => {
    const envelope = {
      protocolVersion: '2026-07-28',
      clientInfo: { name: 'agent-switchboard', version: '0' },
      clientCapabilities: { elicitation: { form: {}, url: {} }, sampling: { tools: {} }, roots: { listChanged: true } },
    };
    const { server, call } = await connected({ refuses: { capability: strictAbout, sends } }, { envelope });
    expect(textOf(await call())).toBe('fine');
    const opened = server.received.filter(({ method }) => method === 'initialize').at(-1);
    expect(opened?.params.capabilities).toMatchObject({ [strictAbout]: {}, roots: { listChanged: true } });
    expect(opened?.params.capabilities?.[strictAbout]).toEqual({});
  });
});

describe('a method that a server of another SDK does not know', () => {
  it.each(UNKNOWN)(
    '$sdk $versions: gives the client the server’s error ($source)',
    async ({ sends, code, message }) => {
      const { upstream } = await connected({ reply: sends });
      await expect(upstream.request('x/unknown', {}, fakeCall())).rejects.toMatchObject({ rpcCode: code, message });
    },
  );
});

describe('a version that a server of another SDK offers instead', () => {
  it.each(VERSIONS)('$sdk $versions: $version is spoken ($source)', async ({ version }) => {
    const { server, upstream, call } = await connected({ version });
    expect(upstream.protocolVersion).toBe(version);
    expect(textOf(await call())).toBe('fine');
    expect(server.received.at(-1)?.headers['mcp-protocol-version']).toBe(version);
  });
});

it('the table has rows of eleven SDKs', () => {
  const rows = [...FRAMINGS, ...GONE, ...PROBES, ...MODERN, ...REFUSALS, ...UNKNOWN, ...VERSIONS];
  expect(rows.length).toBeGreaterThan(70);
  const sdks = new Set(rows.map(({ sdk }) => /^[\w#-]+/.exec(sdk)?.[0]));
  sdks.delete('proxy');
  const names = ['C#', 'Go', 'Java', 'Kotlin', 'PHP', 'Python', 'Ruby', 'Rust', 'Swift', 'TypeScript', 'mcp-go'];
  expect([...sdks].sort()).toEqual(names);
});
