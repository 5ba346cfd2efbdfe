/** Access tokens of a gateway that a program embeds: the section in code, and under a path of the program's server. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, it, onTestFinished } from 'vitest';
import { modern, postModern } from '../../src/endpoint/testing/http.ts';
import { createGateway } from '../../src/index.ts';
import { startOidc } from '../fixtures/oidc.ts';
import { bearer, challengeOf } from './tokens.ts';

it('open a gateway below a path, whose challenge leads to its metadata', async () => {
  const oidc = await startOidc();
  const gateway = await createGateway({
    auth: { issuers: [{ issuer: oidc.issuer, grant: 'local' }] },
    basePath: '/gateway',
    logLevel: 'silent',
  });
  const server = createServer(gateway.handler).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  onTestFinished(async () => {
    server.closeAllConnections();
    server.close();
    await gateway.close();
    await oidc.close();
  });
  const mcp = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/gateway/mcp`);
  const list = modern(1, 'tools/list');
  const refused = await postModern(mcp, list);
  const metadata = (await (await fetch(challengeOf(refused).resource_metadata as string)).json()) as object;
  expect([refused.status, metadata]).toMatchObject([401, { resource: mcp.href, authorization_servers: [oidc.issuer] }]);
  const inserted = new URL(`/.well-known/oauth-protected-resource${mcp.pathname}`, mcp);
  expect((await fetch(inserted)).status).toBe(200);
  expect((await postModern(mcp, list, bearer(await oidc.machineToken(mcp.href)))).status).toBe(200);
});
