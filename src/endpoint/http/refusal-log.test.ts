import { expect, test } from 'vitest';
import { recordingLog } from '../../../adapters/testing/context.ts';
import { SwitchboardError } from '../../core/errors.ts';
import { initialize, post, send } from '../testing/http.ts';
import { testEndpoint } from '../testing/test-endpoint.ts';
import { RefusalLog } from './refusal-log.ts';

const TOKEN = 'correct-horse-battery';

test.each([
  [
    'a Host header',
    { host: 'evil.example' },
    /gateway\.allowedHosts/,
    { code: 'SWB_HOST_REFUSED', host: 'evil.example' },
  ],
  [
    'an Origin header',
    { origin: 'https://evil.example' },
    /gateway\.allowedOrigins/,
    { code: 'SWB_ORIGIN_REFUSED', origin: 'https://evil.example' },
  ],
  [
    'no token',
    {},
    /it has no token.*'Authorization: Bearer <token>' with gateway\.token/,
    { code: 'SWB_UNAUTHENTICATED' },
  ],
  ['a wrong token', { authorization: 'Bearer secret-wrong-one' }, /not valid.*gateway\.token.*grants add/, {}],
  ['another scheme', { authorization: 'Basic secret-wrong-one' }, /not 'Bearer <token>'/, {}],
  ['a token without a scheme', { authorization: 'secret-wrong-one' }, /not 'Bearer <token>'/, {}],
  ['a key in a header that is not read', { 'x-api-key': 'secret-wrong-one' }, /'x-api-key'.*gateway\.keyHeaders/, {}],
])('a request refused for %s leaves one warning that says what to set', async (_what, headers, advice, fields) => {
  const log = recordingLog();
  const endpoint = await testEndpoint({ config: { token: TOKEN }, log });
  const sent = { 'user-agent': 'client/1', ...headers } as Record<string, string>;
  for (let i = 0; i < 5; i++) expect((await post(endpoint.url(), initialize(), sent)).status).toBeGreaterThan(400);
  const lines = log.lines.filter(({ level }) => level === 'warn');
  expect(lines).toHaveLength(1);
  expect(lines[0]?.message).toMatch(advice);
  expect(lines[0]?.fields).toMatchObject({ ...fields, from: '127.0.0.1', userAgent: 'client/1' });
  expect(JSON.stringify(log.lines)).not.toContain('secret-wrong-one');
});

test('a wrong key in a header that is read is called that', async () => {
  const log = recordingLog();
  const endpoint = await testEndpoint({ config: { token: TOKEN, keyHeaders: ['x-api-key'] }, log });
  expect((await post(endpoint.url(), initialize(), { 'x-api-key': TOKEN })).status).toBe(200);
  expect(log.lines.filter(({ level }) => level === 'warn')).toEqual([]);
  expect((await post(endpoint.url(), initialize(), { 'x-api-key': 'wrong' })).status).toBe(401);
  expect(log.lines.filter(({ level }) => level === 'warn').map(({ message }) => message)).toEqual([
    expect.stringContaining('not valid'),
  ]);
});

test('refusals of one kind are counted for ten seconds, and others have lines of their own', async () => {
  const log = recordingLog();
  let now = 0;
  const refusals = new RefusalLog(log, [], () => now);
  const req = { headers: { host: `h\u009b${'x'.repeat(200)}` }, socket: {} } as never;
  const host = new SwitchboardError('SWB_HOST_REFUSED', 'no');
  for (; now < 25_000; now += 1_000) refusals.refused(req, host);
  refusals.refused(req, new SwitchboardError('SWB_UNAUTHENTICATED', 'no'));
  refusals.refused(req, new SwitchboardError('SWB_UNAUTHENTICATED', 'no'), 'admin');
  refusals.refused(req, new SwitchboardError('SWB_PARSE', 'no'));
  refusals.refused(req, new Error('unforeseen'));
  const fields = log.lines.map(({ fields }) => fields as Record<string, unknown>);
  expect(fields.map(({ code, alsoRefused }) => [code, alsoRefused])).toEqual([
    ['SWB_HOST_REFUSED', undefined],
    ['SWB_HOST_REFUSED', 9],
    ['SWB_HOST_REFUSED', 9],
    ['SWB_UNAUTHENTICATED', undefined],
    ['SWB_UNAUTHENTICATED', undefined],
  ]);
  expect(fields[0]?.host).toMatch(/^h\?x{98}…$/);
  expect(log.lines.at(-1)?.message).toContain('gateway.adminToken');
});

test('accepted requests, and refusals of another kind, leave no line', async () => {
  const log = recordingLog();
  const endpoint = await testEndpoint({ config: { token: TOKEN }, log });
  const authorization = `Bearer ${TOKEN}`;
  expect((await post(endpoint.url(), initialize(), { authorization })).status).toBe(200);
  expect((await send(endpoint.url('/nothing'), { method: 'GET', headers: { authorization } })).status).toBe(404);
  expect(log.lines.filter(({ level }) => level === 'warn')).toEqual([]);
});
