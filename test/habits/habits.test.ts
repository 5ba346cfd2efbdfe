import { describe, expect, it } from 'vitest';
import { connections, textOf, toolCall } from '../../adapters/mcp/testing/connected.ts';
import { fakeCall } from '../../adapters/testing/call.ts';
import type { ContextOverrides } from '../../adapters/testing/context.ts';
import { playHabit, type Script } from './server.ts';
import { FRAMINGS, GONE, MODERN, PROBES, REFUSALS, UNKNOWN, VERSIONS } from './table.ts';

const { connect, closing } = connections();

async function connected(script: Script, overrides?: ContextOverrides) {
  const server = closing(await playHabit(script));
  const { upstream } = await connect(server.url, overrides);
  return {
    server,
    upstream,
    call: () => upstream.request(...toolCall('x'), fakeCall()),
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
    const { server, call, count } = await connected({ gone: sends });
    expect(textOf(await call())).toBe('fine');
    server.forget();
    expect(textOf(await call())).toBe('fine');
    expect(count('initialize')).toBe(2);
    expect(count('tools/call')).toBe(2);
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

it('the table has rows of ten SDKs', () => {
  const rows = [...FRAMINGS, ...GONE, ...PROBES, ...MODERN, ...REFUSALS, ...UNKNOWN, ...VERSIONS];
  expect(rows.length).toBeGreaterThan(70);
  const sdks = new Set(rows.map(({ sdk }) => /^[\w#-]+/.exec(sdk)?.[0]));
  expect([...sdks].sort()).toEqual(['C#', 'Go', 'Java', 'Kotlin', 'PHP', 'Python', 'Ruby', 'Rust', 'Swift', 'mcp-go']);
});
