/** `switchboard connections connect` waits for the person as long as the page is valid, whatever becomes of a look meanwhile. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { dirname } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { configFile, removeTemporaryFolders } from '../../config/testing/files.ts';
import { run } from '../program.ts';
import { testIo } from '../testing/io.ts';

const ADMIN_TOKEN = 'an-admin-token-of-32-characters-x';

let gateway: Server | undefined;
afterEach(async () => {
  gateway?.closeAllConnections();
  await new Promise((closed) => (gateway ? gateway.close(closed) : closed(undefined)));
  await removeTemporaryFolders();
});

/** A gateway whose looks at the page end as `looks` says, the last of them for ever. */
async function connect(expiresInMs: number, looks: readonly ('waiting' | 'connected' | 'gone')[]) {
  let looked = 0;
  gateway = createServer((request, response) => {
    const json = (value: object): void => {
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(value));
    };
    if (request.method === 'POST') {
      const expiresAt = new Date(Date.now() + expiresInMs).toISOString();
      const page = { id: 'x'.repeat(22), server: 'mail', principal: 'local', code: 'ABCD-EFGH', expiresAt };
      json({ ...page, url: 'http://127.0.0.1/connect/x' });
      return;
    }
    const state = looks[Math.min(looked++, looks.length - 1)];
    // The gateway is away, or ends in the middle of it.
    if (state === 'gone') request.socket.destroy();
    else json({ state });
  });
  await new Promise<void>((listening) => gateway?.listen(0, '127.0.0.1', listening));
  const { port } = gateway.address() as AddressInfo;
  const file = await configFile({ gateway: { adminToken: ADMIN_TOKEN, stateDir: false } });
  const io = testIo({ cwd: dirname(file) });
  const code = await run(['connections', 'connect', 'mail', '--url', `http://127.0.0.1:${port}`], io);
  return { code, said: io.stderr.text, looked };
}

describe('connections connect', () => {
  it('goes on waiting when the gateway does not answer for a while', async () => {
    const { code, said, looked } = await connect(900_000, ['waiting', 'gone', 'gone', 'waiting', 'connected']);
    expect(said).toContain('Connected: the local user may use mail.');
    expect([code, looked]).toEqual([0, 5]);
  });

  it('gives up on a gateway that is gone when the page is over', async () => {
    const { code, said } = await connect(600, ['waiting', 'gone']);
    expect(said).toMatch(/^error No gateway answers at/m);
    expect(code).toBe(4);
  });
});
