import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { adminToken } from '../../auth/admin-token.ts';
import { gatewayAuthenticator } from '../../auth/authenticators.ts';
import { removeTemporaryFolders } from '../../config/testing/files.ts';
import { createHttpEndpoint, type HttpEndpoint } from '../../endpoint/http/server.ts';
import { gatewayConfig, silentLog } from '../../endpoint/testing/http.ts';
import { StubRelay, stubFederation } from '../../endpoint/testing/stub-relay.ts';
import { openApprovals } from '../../policy/approvals/approvals.ts';
import { request } from '../../policy/approvals/testing/requests.ts';
import type { Approvals } from '../../policy/approvals/types.ts';
import { type Ran, type RunOptions, runCli } from '../testing/cli.ts';
import { inWords } from './approvals.ts';

let stateDir: string;
let approvals: Approvals;
let endpoint: HttpEndpoint;
let port: number;
let id: string;

async function start(token: string | undefined): Promise<void> {
  endpoint = createHttpEndpoint({
    relay: new StubRelay(),
    federation: stubFederation(),
    config: gatewayConfig(),
    auth: gatewayAuthenticator(undefined),
    log: silentLog,
    health: () => ({ ready: true, servers: {} }),
    timing: { closeGraceMs: 200 },
    admin: token === undefined ? undefined : { token, approvals, servers: () => [] },
  });
  ({ port } = await endpoint.listen());
}

beforeEach(async () => {
  stateDir = await mkdtemp(join(tmpdir(), 'swb-cli-approvals-'));
  approvals = await openApprovals({ log: silentLog });
  id = approvals.claim(request({ shown: { to: 'Ada  \u202eB', amount: 5 } })).approval.id;
  await start(await adminToken(undefined, stateDir, silentLog));
});

afterEach(async () => {
  await endpoint.close();
  await approvals.close();
  await rm(stateDir, { recursive: true, force: true });
  await removeTemporaryFolders();
});

async function cli(args: string[], gateway: object = {}, options: RunOptions = {}): Promise<Ran> {
  const ran = await runCli(['approvals', ...args], {
    content: { servers: {}, gateway: { port, stateDir, ...gateway } },
    ...options,
  });
  expect(ran.probe.made).toHaveLength(0);
  return ran;
}

describe('the running gateway’s approvals', () => {
  it('are listed', async () => {
    const { code, stdout } = await cli(['list']);
    expect(code).toBe(0);
    expect(stdout.lines).toHaveLength(2);
    expect(stdout.lines[0]).toMatch(/^ID +SERVER +NAME +WHO +EXPIRES +REASON$/);
    expect(stdout.lines[1]).toMatch(
      new RegExp(`^${id} +bank +pay +agent +in \\d+ (?:minute|seconds?) +Money moves\\.$`),
    );
  });

  it('are listed with decided ones only with --all', async () => {
    await approvals.decide(id, { effect: 'deny', by: 'bob' });
    expect((await cli(['list'])).stdout.text).toBe('Nothing waits for approval.\n');
    expect((await cli(['list', '--all'])).stdout.lines[1]).toContain('denied');
    expect((await cli(['list', '--all', '--json'])).json()).toMatchObject({ approvals: [{ id, state: 'denied' }] });
  });

  it('are shown in words, without control characters of their arguments', async () => {
    const { code, stdout } = await cli(['show', id], {}, { terminal: true });
    expect(code).toBe(0);
    const shown = Object.fromEntries(stdout.lines.map((line) => line.split(/ {2,}(.*)/s)));
    expect(shown).toMatchObject({
      id,
      state: 'pending',
      server: 'bank',
      tool: 'pay',
      'asked by': 'agent',
      rule: '/tools/pay of server:bank',
      reason: 'Money moves.',
      arguments: '{"to":"Ada  \\u202eB","amount":5}',
      asked: expect.stringMatching(/second/),
      expires: expect.stringMatching(/^in \d+ (?:minute|seconds?) \(\d{4}-.*Z\)$/),
    });
    expect((await cli(['show', id, '--json'])).json()).toMatchObject({ id, arguments: expect.any(String) });
  });

  it('are approved: the call goes through once', async () => {
    const { code, stdout } = await cli(['approve', id, '--note', 'agreed']);
    expect(code).toBe(0);
    expect(stdout.text).toMatch(
      new RegExp(`^Approved ${id}: bank pay goes through once .* expires in \\d+ (?:minute|seconds?)\\.\n$`),
    );
    expect(approvals.get(id)).toMatchObject({ by: userInfo().username, note: 'agreed' });
    expect(approvals.claim(request()).status).toBe('approved');
    expect(approvals.claim(request()).status).toBe('pending');
  });

  it('are denied', async () => {
    const { code, json } = await cli(['deny', id, '--json']);
    expect(code).toBe(0);
    expect(json()).toMatchObject({ id, state: 'denied' });
    expect(approvals.claim(request()).status).toBe('denied');
  });

  it('are found at another address, whatever path is typed', async () => {
    const { code } = await cli(['deny', id, '--url', `http://127.0.0.1:${port}/mcp`], { port: 1 });
    expect(code).toBe(0);
  });

  it('are opened by the configured token before the stored one', async () => {
    await endpoint.close();
    const token = 'configured-admin-token-0123456789';
    await start(token);
    expect((await cli(['list'], { adminToken: token })).code).toBe(0);
    expect((await cli(['list'], { adminToken: token, stateDir: false })).code).toBe(0);
  });

  it('are found when the gateway listens on every address', async () => {
    expect((await cli(['list'], { host: '0.0.0.0', token: 'x'.repeat(20) })).code).toBe(0);
  });
});

describe('approvals fails with a message for', () => {
  const failure = async (ran: Promise<Ran>) => {
    const { code, stderr, stdout } = await ran;
    expect(stdout.text).toBe('');
    expect(stderr.lines).toHaveLength(1);
    return [code, stderr.text.trim()];
  };

  it('an unknown id', async () => {
    expect(await failure(cli(['approve', 'apr_x']))).toEqual([2, 'error There is no approval of this id.']);
    expect(await failure(cli(['show', '../../mcp']))).toEqual([2, 'error There is no approval of this id.']);
  });

  it('an approval that is decided already', async () => {
    await approvals.decide(id, { effect: 'deny', by: 'bob' });
    expect(await failure(cli(['approve', id]))).toEqual([1, 'error It was denied already, by bob.']);
    const { json } = await cli(['approve', id, '--json']);
    expect(json()).toMatchObject({ error: { code: 'SWB_APPROVAL_DECIDED', state: 'denied' } });
  });

  it('a gateway that does not run', async () => {
    await endpoint.close();
    const [code, text] = await failure(cli(['list']));
    expect(code).toBe(4);
    expect(text).toContain(`No gateway answers at http://127.0.0.1:${port}. Start it with 'switchboard serve'`);
  });

  it('a missing admin token', async () => {
    const empty = join(stateDir, 'empty');
    expect(await failure(cli(['list'], { stateDir: empty }))).toEqual([
      2,
      expect.stringMatching(/There is no admin token: gateway\.adminToken is not set and there is none in the state/),
    ]);
    expect(await failure(cli(['list'], { stateDir: false }))).toEqual([2, expect.stringContaining('stateDir is off')]);
  });

  it('the admin token of another gateway', async () => {
    const other = join(stateDir, 'other');
    await adminToken(undefined, other, silentLog);
    const [code, text] = await failure(cli(['approve', id], { stateDir: other }));
    expect([code, text]).toEqual([2, expect.stringContaining('has another admin token than this configuration')]);
    expect(approvals.get(id)?.state).toBe('pending');
  });

  it('a gateway without administration API', async () => {
    await endpoint.close();
    await start(undefined);
    expect(await failure(cli(['list']))).toEqual([2, expect.stringContaining('runs without an admin token')]);
  });

  it('another server at the address', async () => {
    const server: Server = createServer((_req, res) => res.end('<html>'));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    try {
      const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
      expect(await failure(cli(['list', '--url', url]))).toEqual([4, expect.stringContaining('is no gateway')]);
    } finally {
      server.close();
    }
  });

  it('a port that is chosen at each start', async () => {
    expect(await failure(cli(['list'], { port: 0 }))).toEqual([2, expect.stringContaining('--url')]);
    expect(await failure(cli(['list', '--url', 'localhost']))).toEqual([
      2,
      expect.stringContaining('http://127.0.0.1'),
    ]);
  });
});

describe('help', () => {
  it('teaches the commands', async () => {
    const { code, stdout } = await cli(['--help']);
    expect(code).toBe(0);
    for (const command of ['list', 'show', 'approve', 'deny']) {
      expect(stdout.text).toMatch(new RegExp(`^  ${command} `, 'm'));
    }
    expect(stdout.text).toContain('switchboard approvals approve apr_');
    expect((await cli(['approve', '--help'])).stdout.text).toContain('--note <text>');
    expect((await cli(['approve'])).code).toBe(2);
  });
});

it('times are shown in the largest whole unit', () => {
  const now = Date.parse('2026-01-01T00:00:00Z');
  const at = (seconds: number): string => inWords(new Date(now + seconds * 1_000).toISOString(), now);
  expect([at(30), at(150), at(-7_200), at(200_000)]).toEqual([
    'in 30 seconds',
    'in 2 minutes',
    '2 hours ago',
    'in 2 days',
  ]);
});
