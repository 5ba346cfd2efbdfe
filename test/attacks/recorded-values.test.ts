/** Recorded arguments as operators see them: without the credentials that a caller sent. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type OwnGateway, startReadyGateway } from '../e2e/gateway.ts';
import { until } from '../e2e/until.ts';
import { type HttpFixture, startV1Http } from '../fixtures/mcp/http.ts';
import { modern } from './talk.ts';

const ADMIN = 'an-admin-token-for-tests-0123456789';
const headers = { authorization: `Bearer ${ADMIN}`, 'content-type': 'application/json' };
const looking = new AbortController();

let v1: HttpFixture;
let gateway: OwnGateway;

beforeAll(async () => {
  v1 = await startV1Http();
  gateway = await startReadyGateway({ servers: { one: { kind: 'mcp', url: v1.url } }, gateway: { adminToken: ADMIN } });
  const events = await fetch(gateway.at('/admin/api/events?only=calls'), { headers, signal: looking.signal });
  expect(events.status).toBe(200);
  const body = JSON.stringify({ minutes: 5 });
  expect((await fetch(gateway.at('/admin/api/recording'), { method: 'POST', headers, body })).status).toBe(200);
});
afterAll(async () => {
  looking.abort();
  await gateway?.close();
  await v1?.close();
});

interface Call {
  id: string;
  outcome: string;
  shownArguments?: string;
}

const calls = async (): Promise<Call[]> =>
  ((await (await fetch(gateway.at('/admin/api/calls'), { headers })).json()) as { calls: Call[] }).calls;

it.each([
  ['the token of a product', 'use ghp_0123456789abcdefghijABCDEFGHIJ012345 for it', 'ghp_0123456789'],
  ['what stands behind a name', 'api_key=hunter2-hunter2 and my_password: hunter2-hunter2', 'hunter2'],
  ['a JSON Web Token', 'eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZGEifQ.c2ln', 'eyJzdWIi'],
])('a recorded argument is shown without %s', async (_, said, secret) => {
  const before = (await calls()).length;
  await modern(gateway.at('/mcp'), undefined, 'tools/call', { name: 'one__echo', arguments: { text: said } });
  await until(
    async () => (await calls())[before]?.outcome === 'ok',
    () => 'the call to be recorded',
  );
  const [call] = (await calls()).slice(before);
  expect(call?.shownArguments).toContain('[redacted]');
  const one = await (await fetch(gateway.at(`/admin/api/calls/${call?.id}`), { headers })).text();
  const explained = await fetch(gateway.at(`/admin/api/calls/${call?.id}/explain`), { method: 'POST', headers });
  for (const shown of [JSON.stringify(call), one, await explained.text()]) expect(shown).not.toContain(secret);
});
