import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { freePort } from '../../src/core/testing/free-port.ts';
import { ADMIN_TOKEN, type BridgeGateway, bridgeGateway } from './bridge-gateway.ts';
import { Browser } from './browser.ts';

const SUITE = fileURLToPath(
  new URL('../../node_modules/@modelcontextprotocol/conformance/dist/index.js', import.meta.url),
);

let bridge: BridgeGateway;
let port: number;

beforeAll(async () => {
  port = await freePort();
  bridge = await bridgeGateway({
    login: 'admin-token',
    clients: [{ id: 'suite', redirectUris: [`http://127.0.0.1:${port}/callback`] }],
  });
});
afterAll(() => bridge.close());

/** Runs the scenarios for authorization servers; where one asks a person to log in, a person does. */
async function run(): Promise<{ code: number | null; output: string; landed: number | undefined }> {
  const args = ['authorization', '--url', bridge.origin, '--client-id', 'suite'];
  const child = spawn(process.execPath, [SUITE, ...args, '--resource', bridge.endpoint, '--port', String(port)]);
  let output = '';
  let landing: Promise<number> | undefined;
  const read = (chunk: Buffer): void => {
    output += chunk;
    const url = new RegExp(`${bridge.origin}/authorize\\?\\S+`).exec(output)?.[0];
    if (url !== undefined) landing ??= login(url);
  };
  child.stdout.on('data', read);
  child.stderr.on('data', read);
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  return { code, output, landed: await landing };
}

async function login(url: string): Promise<number> {
  const browser = new Browser();
  const page = await browser.follow(url, [bridge.origin]);
  const { next } = await browser.submit(page, { answer: 'allow', token: ADMIN_TOKEN });
  const end = await browser.follow(next as URL, [bridge.origin, `http://127.0.0.1:${port}`]);
  return end.status;
}

it('the official suite finds the bridge in order, from its metadata to a token', async () => {
  const { code, output, landed } = await run();
  expect(output).toContain('authorization-server-metadata-endpoint');
  expect(output).toContain('authorization-code-grant');
  expect(output).not.toMatch(/FAILURE|WARNING|SKIPPED/);
  expect(landed).toBe(200);
  expect(code).toBe(0);
});
