/** A key from its making to its end, through the command line and the whole gateway. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { run } from '../../src/cli/program.ts';
import { testIo } from '../../src/cli/testing/io.ts';
import { listenOn, modern, openSession, post, postModern, rpc } from '../../src/endpoint/testing/http.ts';
import { loadConfig } from '../../src/load-config.ts';
import { type OwnGateway, startReadyGateway } from '../e2e/gateway.ts';

let gateway: OwnGateway;
beforeAll(async () => {
  gateway = await startReadyGateway({ gateway: { defaultPolicy: 'allow' } });
});
afterAll(() => gateway?.close());

/** What the command prints; the running gateway takes the change up. */
async function grants(...args: string[]): Promise<string> {
  const io = testIo({ cwd: gateway.folder });
  expect(await run(['grants', ...args, '--config', gateway.file], io)).toBe(0);
  await gateway.gateway.reload(await loadConfig({ file: gateway.file, env: {} }));
  return io.stdout.text.trim();
}

it('a grant opens the gateway when it is added, and its sessions end when it is revoked', async () => {
  const url = gateway.at('/mcp');
  const listTools = async (headers: Record<string, string>): Promise<number> => {
    const reply = await postModern(url, modern(1, 'tools/list'), headers);
    await reply.text;
    return reply.status;
  };
  expect(await listTools({})).toBe(200);
  const alice = { authorization: `Bearer ${await grants('add', 'alice')}` };
  const bob = { authorization: `Bearer ${await grants('add', 'bob')}` };
  expect([await listTools({}), await listTools(alice), await listTools(bob)]).toEqual([401, 200, 200]);

  const sessions = [];
  for (const headers of [alice, bob]) sessions.push(await openSession(url, '2025-11-25', headers));
  const [own, others] = sessions as [Record<string, string>, Record<string, string>];
  const filter = { notifications: { toolsListChanged: true } };
  const standalone = await listenOn(url, own);
  const listening = await postModern(url, modern(2, 'subscriptions/listen', filter), alice);
  expect([standalone.status, listening.status]).toEqual([200, 200]);

  await grants('revoke', 'alice');
  await Promise.all([standalone.text, listening.text]);
  expect(listening.messages().at(-1)).toMatchObject({ id: 2, error: { data: { code: 'SWB_UNAUTHENTICATED' } } });
  expect((await post(url, rpc(3, 'ping'), own)).status).toBe(401);
  expect((await post(url, rpc(3, 'ping'), others)).status).toBe(200);

  await grants('revoke', 'bob');
  expect([await listTools({}), await listTools(bob)]).toEqual([401, 401]);
});
