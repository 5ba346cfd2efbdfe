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

const SECRET = 'hunter2-hunter2';

it.each<[string, said: object, secret?: string]>([
  ['the token of a product', { text: 'use ghp_0123456789abcdefghijABCDEFGHIJ012345 for it' }, 'ghp_0123456789'],
  ['what stands behind a name', { text: `api_key=${SECRET} and my_password: ${SECRET}` }],
  ['a JSON Web Token', { text: 'eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZGEifQ.c2ln' }, 'eyJzdWIi'],
  ['a value in double quotes', { text: `export API_KEY="${SECRET}"` }],
  ['a value with spaces in quotes', { text: `export API_KEY="correct ${SECRET}"` }],
  ['a value in single quotes', { text: `mysql --password='${SECRET}'` }],
  ['a value whose single quote is escaped for a shell', { text: `mysql --password='it'\\''s ${SECRET}'` }],
  ['a value in quotes that are not closed', { text: `mysql --password="correct ${SECRET}` }],
  ['a member of JSON in a text', { text: `{"password":"correct ${SECRET}"}` }],
  ['a member of JSON in a text within a text', { text: `curl -d "{\\"password\\": \\"correct ${SECRET}\\"}"` }],
  ['a member with a quote in it', { text: JSON.stringify({ password: `"${SECRET}` }) }],
  ['an entry of a map in code', { text: `os.environ['API_KEY'] = 'correct ${SECRET}'` }],
  ['what follows a flag', { text: `psql --password ${SECRET}` }],
  ['what follows a flag in a list', { text: '', argv: ['psql', '--password', SECRET] }],
  ['a value with a backslash', { text: `password=ab\\c${SECRET}` }],
  ['a value with commas and semicolons', { text: `password=hunter2,more;${SECRET}` }],
  ['a member whose name ends in that of a secret', { text: '', dbpassword: SECRET }],
  [
    'a value that is shown shortened',
    { text: `${'a'.repeat(30)} token="correct ${SECRET}"${' and more'.repeat(800)}` },
  ],
])('a recorded argument is shown without %s', async (_, said, secret = SECRET) => {
  const before = (await calls()).length;
  await modern(gateway.at('/mcp'), undefined, 'tools/call', { name: 'one__echo', arguments: said });
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
