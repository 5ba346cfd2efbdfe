/** Guessing the admin token, at every address that reads it. */
import { readFileSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type OwnGateway, startGateway } from '../e2e/gateway.ts';

const TOKEN = 'an-admin-token-for-tests-0123456789';

let gateway: OwnGateway;

beforeEach(async () => {
  gateway = await startGateway({ gateway: { adminToken: TOKEN } });
});
afterEach(() => gateway.close());

interface Answer {
  status: number;
  retryAfter: number;
  text: string;
  cookie: string;
}

/** `localAddress`: where on loopback it comes from. */
function ask(path: string, headers: Record<string, string>, body?: object, localAddress = '127.0.0.1') {
  return new Promise<Answer>((resolve, reject) => {
    const method = body === undefined ? 'GET' : 'POST';
    const sent = request(gateway.at(path), { method, localAddress, agent: false, headers }, async (res) => {
      let text = '';
      for await (const chunk of res) text += chunk;
      const [cookie = ''] = res.headers['set-cookie'] ?? [];
      resolve({ status: res.statusCode ?? 0, retryAfter: Number(res.headers['retry-after']), text, cookie });
    });
    sent.on('error', reject);
    sent.end(body && JSON.stringify(body));
  });
}

const withHeader =
  (path: string) =>
  (token: string, from?: string): Promise<Answer> =>
    ask(path, { authorization: `Bearer ${token}` }, undefined, from);
const atLogin = (token: string, from?: string): Promise<Answer> =>
  ask('/admin/api/login', { 'content-type': 'application/json' }, { token }, from);

const DOORS = [
  { door: 'the administration API', guess: withHeader('/admin/approvals'), wrong: 401 },
  { door: 'the metrics', guess: withHeader('/metrics'), wrong: 401 },
  { door: 'the login of the pages', guess: atLogin, wrong: 403 },
];

describe.each(DOORS)('the admin token at $door', ({ guess, wrong }) => {
  it('gets no verdict after ten wrong ones of an address, with a 429 that says when, at every other door neither', async () => {
    for (let each = 0; each < 10; each++) expect((await guess(`guess-${each}`)).status).toBe(wrong);
    for (const refused of [await guess('guess-10'), ...(await Promise.all(DOORS.map((door) => door.guess(TOKEN))))]) {
      expect(refused.status).toBe(429);
      expect(refused.retryAfter).toBeGreaterThan(0);
      expect(refused.retryAfter).toBeLessThanOrEqual(60);
      expect(refused.text).toContain('SWB_TOO_MANY_ATTEMPTS');
    }
    expect(gateway.log()).toContain('too many wrong admin tokens were sent');
    expect(gateway.log()).not.toContain('guess-');
  });

  it('still opens it from another address', async () => {
    for (let each = 0; each < 20; each++) await guess(`guess-${each}`);
    expect((await guess(TOKEN, '127.0.0.2')).status).toBe(200);
  });

  it('is not shut out by one old token that a program goes on sending', async () => {
    for (let each = 0; each < 20; each++) expect((await guess('the-token-of-last-year')).status).toBe(wrong);
    expect((await guess(TOKEN)).status).toBe(200);
  });
});

it('a browser that is logged in stays so, whatever its address guesses', async () => {
  const { cookie, text } = await atLogin(TOKEN);
  const session = { cookie: cookie.split(';')[0] as string, 'x-switchboard-key': JSON.parse(text).key as string };
  for (let each = 0; each < 20; each++) await atLogin(`guess-${each}`);
  expect((await atLogin(TOKEN)).status).toBe(429);
  expect((await ask('/admin/api/session', session)).status).toBe(200);
});

describe('the admin token in the state folder', () => {
  beforeEach(async () => {
    await gateway.close();
    gateway = await startGateway();
  });

  const file = (): string => join(gateway.folder, 'state/admin-token');

  it('opens every door however many others were tried, where the gateway made it', async () => {
    const made = readFileSync(file(), 'utf8').trim();
    for (const { guess, wrong } of DOORS) {
      for (let each = 0; each < 12; each++) expect((await guess(`guess-${each}`)).status).toBe(wrong);
      expect((await guess(made)).status).toBe(200);
    }
  });

  it('gets no verdict after ten wrong ones where a person wrote it', async () => {
    await gateway.stop();
    writeFileSync(file(), TOKEN, { mode: 0o600 });
    gateway = await startGateway({ folder: gateway.folder });
    for (let each = 0; each < 10; each++) expect((await atLogin(`guess-${each}`)).status).toBe(403);
    expect((await atLogin(TOKEN)).status).toBe(429);
  });
});
