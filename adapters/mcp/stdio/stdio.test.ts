import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import type { Target } from '../../../src/core/adapter.ts';
import { stdioFixture } from '../../../test/fixtures/mcp/stdio.ts';
import { codeOf } from '../../cases.ts';
import { fakeCall } from '../../testing/call.ts';
import { fakeContext } from '../../testing/context.ts';
import { mcpAdapter } from '../index.ts';
import { connections, textOf, toolCall } from '../testing/connected.ts';
import { childEnvironment } from './env.ts';

const { connect, closing } = connections();

const failure = (promise: Promise<unknown>): Promise<Error> =>
  promise.then(
    () => new Error('It succeeded.'),
    (e) => e,
  );

/** A child that answers lines of JSON with what `body` writes; `answer(result)` and `line(text)` are at hand. */
const child = (body: string, more: Partial<Target & { transport: 'stdio' }> = {}): Target => ({
  transport: 'stdio',
  command: process.execPath,
  args: [
    '-e',
    `const line = (text) => process.stdout.write(text + '\\n');
     const info = { name: 'child', version: '1' };
     const initialized = (m) => ({ protocolVersion: m.params.protocolVersion, capabilities: { tools: {} }, serverInfo: info });
     const text = (t) => ({ content: [{ type: 'text', text: t }] });
     require('node:readline').createInterface({ input: process.stdin }).on('line', (l) => {
       const m = JSON.parse(l);
       const answer = (result) => line(JSON.stringify({ jsonrpc: '2.0', id: m.id, result }));
       const refuse = (code, message) => line(JSON.stringify({ jsonrpc: '2.0', id: m.id, error: { code, message } }));
       if (m.id === undefined) return;
       ${body}
     });`,
  ],
  env: {},
  cwd: undefined,
  ...more,
});

describe('a result of a stdio server', () => {
  it('passes at any depth', async () => {
    const { upstream } = await connect(
      child(`
        if (m.method === 'initialize') return answer(initialized(m));
        if (m.method !== 'tools/call') return refuse(-32601, 'Method not found');
        line('{"jsonrpc":"2.0","id":' + m.id + ',"result":{"a":' + '['.repeat(50000) + ']'.repeat(50000) + '}}');`),
    );
    const reply = await upstream.request(...toolCall('deep'), fakeCall());
    expect('raw' in reply && reply.raw?.length).toBe(100_006);
  });
});

describe('the era of a stdio server', () => {
  it.each([
    ['v1', undefined, 'legacy'],
    ['v1', 'modern', 'legacy'],
    ['v2', undefined, 'modern'],
    ['v2', 'legacy', 'legacy'],
    ['v2-modern', 'legacy', 'modern'],
    ['v2-modern', 'modern', 'modern'],
  ] as const)('is found out: %s, known to be %s, is %s', async (server, era, expected) => {
    const fixture = closing(stdioFixture(server));
    const known = era && { era, protocolVersion: era === 'legacy' ? '2025-11-25' : '2026-07-28' };
    const { upstream } = await connect(fixture.target, { known });
    expect(upstream.era).toBe(expected);
    expect(fixture.children().length).toBe(1);
    expect(textOf(await upstream.request(...toolCall('echo', { text: 'hi' }), fakeCall()))).toBe('hi');
  });

  it('is found out at the first failure where the remembered one is wrong: a modern server that ends on initialize', async () => {
    const discovered = `{ resultType: 'complete', supportedVersions: ['2026-07-28'], capabilities: { tools: {} }, _meta: {} }`;
    const { upstream } = await connect(
      child(`if (m.method === 'initialize') process.exit(3);
             if (m.method === 'server/discover') answer(${discovered});`),
      { known: { era: 'legacy', protocolVersion: '2025-11-25' } },
    );
    expect(upstream.era).toBe('modern');
  });

  it('is legacy when the server never answers what it does not know, on the same child', async () => {
    const { upstream } = await connect(
      child(
        `if (m.method === 'initialize') answer(initialized(m)); else if (m.method === 'tools/call') answer(text(String(process.pid)));`,
      ),
    );
    expect(upstream.era).toBe('legacy');
  });

  it('is legacy when the probe ends the server, which is then started again', async () => {
    const { upstream } = await connect(
      child(`if (m.method === 'server/discover') process.exit(3);
             if (m.method === 'initialize') answer(initialized(m)); else answer(text('alive'));`),
    );
    expect(upstream.era).toBe('legacy');
    expect(textOf(await upstream.request(...toolCall('x'), fakeCall()))).toBe('alive');
  });

  it('is modern when the answer to the probe comes late and initialize is refused', async () => {
    const { upstream } = await connect(
      child(`const discovered = { resultType: 'complete', supportedVersions: ['2026-07-28'], capabilities: {} };
             if (m.method === 'server/discover') setTimeout(() => answer(discovered), 1900);
             if (m.method === 'initialize') refuse(-32022, 'Unsupported protocol version');`),
    );
    expect(upstream.era).toBe('modern');
  });
});

describe('a child that is slow to start', () => {
  it('shows life by what it writes to stderr', async () => {
    let signs = 0;
    const target = child(`if (m.method === 'initialize') answer(initialized(m));`);
    const [flag = '', script = ''] = target.transport === 'stdio' ? target.args : [];
    const noisy = `process.stderr.write('Downloading 1 of 3\\r'); setTimeout(() => { ${script} }, 300)`;
    const context = fakeContext({ ...target, args: [flag, noisy] } as Target, { onStarting: () => signs++ });
    const upstream = closing(await mcpAdapter.connect(context));
    expect(upstream.era).toBe('legacy');
    expect(signs).toBeGreaterThanOrEqual(1);
  });
});

describe('a child that cannot be used', () => {
  it.each([
    ['exits', child(`process.exit(4)`), /exited with code 4/],
    ['is killed', child(`process.kill(process.pid, 'SIGKILL')`), /ended by SIGKILL/],
    ['has no program', child('', { command: '/opt/no/such/program' }), /command 'program' was not found/],
    ['has no folder', child('', { cwd: '/no/such/folder' }), /working folder \(cwd\) does not exist/],
    ['may not be run', child('', { command: import.meta.filename }), /command 'stdio.test.ts' may not be run/],
  ] as const)('says why: it %s', async (_what, target, says) => {
    const failed = await failure(connect(target));
    expect(codeOf(failed)).toBe('SWB_UPSTREAM_UNAVAILABLE');
    expect(failed.message).toMatch(says);
    expect(failed.message).not.toMatch(/\/opt|\/no/);
  });

  it('has its last output in the log, and not in errors for clients', async () => {
    const target = child(`console.error('the key is s3cret'); process.exit(1)`);
    const context = fakeContext(target);
    const failed = await failure(mcpAdapter.connect(context));
    expect(failed.message).not.toContain('s3cret');
    expect(context.log.lines).toContainEqual({
      level: 'warn',
      fields: { server: 'fixture', stderr: ['the key is s3cret'] },
      message: 'the last lines of stderr',
    });
  });

  it('that refuses to be opened is quoted in the error', async () => {
    const failed = await failure(connect(child(`refuse(-32603, 'No licence.')`)));
    expect(failed).toMatchObject({ code: 'SWB_UPSTREAM_PROTOCOL', message: /refuses to be opened: No licence/ });
  });
});

const legacy = (calls: string): Target =>
  child(`if (m.method === 'initialize') answer(initialized(m));
         else if (m.method !== 'tools/call') refuse(-32601, 'Method not found');
         else { ${calls} }`);

describe('the lines of a child', () => {
  it('that are no messages are skipped', async () => {
    const { upstream, context } = await connect(
      legacy(
        `line('Listening…'); line(''); line('{"half": '); line('[1,2]'); line('{"id":null}'); answer(text('fine'));`,
      ),
    );
    expect(textOf(await upstream.request(...toolCall('x'), fakeCall()))).toBe('fine');
    expect(context.log.lines.filter(({ level }) => level === 'info').length).toBe(1);
    expect(context.downs).toEqual([]);
  });

  it.each([
    ['id first', `line('{"jsonrpc":"2.0","id":' + m.id + ',"result":{"x":"' + 'y'.repeat(9e6) + '"}}')`],
    ['id last', `line('{"result":{"x":"' + 'y'.repeat(9e6) + '"},"jsonrpc":"2.0","id":' + m.id + '}')`],
    ['an error', `line('{"jsonrpc":"2.0","id":' + m.id + ',"error":{"code":1,"message":"' + 'y'.repeat(9e6) + '"}}')`],
  ])('of 9 MB fail the call they answer, and no other (%s)', async (_where, big) => {
    const { upstream } = await connect(
      legacy(`if (m.params.name === 'big') { ${big} } else setTimeout(() => answer(text('fine')), 200);`),
    );
    const other = upstream.request(...toolCall('other'), fakeCall());
    const thrown = await failure(upstream.request(...toolCall('big'), fakeCall()));
    expect(codeOf(thrown)).toBe('SWB_REPLY_TOO_LARGE');
    expect(textOf(await other)).toBe('fine');
  });

  it('of 9 MB without a readable id fail every call in flight', async () => {
    const { upstream } = await connect(legacy(`if (m.params.name === 'big') line('y'.repeat(9e6));`));
    const calls = ['other', 'big'].map((name) => failure(upstream.request(...toolCall(name), fakeCall())));
    for (const thrown of await Promise.all(calls)) expect(codeOf(thrown)).toBe('SWB_REPLY_TOO_LARGE');
  });

  it('that are questions of 9 MB disturb no call with the same id', async () => {
    const { upstream } = await connect(
      legacy(`line('{"jsonrpc":"2.0","id":' + m.id + ',"method":"x","params":{"y":"' + 'y'.repeat(9e6) + '"}}');
              answer(text('fine'));`),
    );
    expect(textOf(await upstream.request(...toolCall('x'), fakeCall()))).toBe('fine');
  });

  it('that answer with the id as text are understood', async () => {
    const { upstream } = await connect(
      legacy(`line(JSON.stringify({ jsonrpc: '2.0', id: String(m.id), result: text('fine') }))`),
    );
    expect(textOf(await upstream.request(...toolCall('x'), fakeCall()))).toBe('fine');
  });

  it('written just before the exit still arrive', async () => {
    const { upstream, context } = await connect(legacy(`answer(text('last words')); process.exit(0);`));
    expect(textOf(await upstream.request(...toolCall('x'), fakeCall()))).toBe('last words');
    await vi.waitFor(() => expect(context.downs[0]?.message).toMatch(/exited with code 0/));
  });
});

describe('the end of a child', () => {
  it('ends the processes it has started, although they ignore SIGTERM', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'switchboard-group-'));
    try {
      const { upstream } = await connect(
        legacy(`process.on('SIGTERM', () => {});
                setInterval(() => {}, 1000);
                const { spawn } = require('node:child_process');
                const own = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000); process.on("SIGTERM", () => {})'], { stdio: 'ignore' });
                answer(text(JSON.stringify([process.pid, own.pid])));`),
      );
      const pids = JSON.parse(textOf(await upstream.request(...toolCall('x'), fakeCall()))) as number[];
      for (const pid of pids) expect(isRunning(pid)).toBe(true);
      await upstream.close();
      for (const pid of pids) await vi.waitFor(() => expect(isRunning(pid)).toBe(false), { timeout: 3_000 });
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

describe('the environment of a child', () => {
  it('has what programs need and what is configured, and nothing else of the gateway', () => {
    const own = { PATH: '/bin', HOME: '/home/x', LC_ALL: 'C', OPENAI_API_KEY: 'sk', TERM: '() { evil; }', LANG: 'de' };
    expect(childEnvironment({ TOKEN: 't', LANG: 'en' }, own)).toEqual({
      PATH: '/bin',
      HOME: '/home/x',
      LC_ALL: 'C',
      LANG: 'en',
      TOKEN: 't',
      SWITCHBOARD_DEPTH: '1',
    });
    expect(childEnvironment({}, { SWITCHBOARD_DEPTH: '1' })).toEqual({ SWITCHBOARD_DEPTH: '2' });
  });
});
