import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cpuClock } from '../src/core/testing/cpu.ts';
import { hookInput, loadedHook, runHooks } from '../src/policy/hooks/testing/hooks.ts';
import { redactSecrets } from './redact-secrets.ts';

const run = (options: Record<string, unknown>, input: Parameters<typeof hookInput>[0]) =>
  runHooks([loadedHook(redactSecrets(options).decide)], hookInput(input));

/** A result's text after redaction. */
function redacted(text: string, options: Record<string, unknown> = {}): string {
  const outcome = run(options, { phase: 'call.after', result: { content: [{ type: 'text', text }] } });
  if (outcome instanceof Promise || outcome.effect !== 'allow') throw new Error(JSON.stringify(outcome));
  const result = outcome.changes?.result as { content: [{ text: string }] } | undefined;
  return result === undefined ? text : result.content[0].text;
}

const A = (length: number): string => 'aB3'.repeat(length).slice(0, length);
// Put together here, so that no scanner takes this file for a leak.
const secrets: readonly (readonly [string, string])[] = [
  ['AWS_ACCESS_KEY_ID', `AKIA${'Q7'.repeat(8)}`],
  ['GITHUB_TOKEN', `ghp_${A(36)}`],
  ['GITHUB_TOKEN', `gho_${A(36)}`],
  ['GITHUB_TOKEN', `ghs_${A(300)}`],
  ['GITHUB_TOKEN', `github_pat_${A(22)}_${A(59)}`],
  ['OPENAI_API_KEY', `sk-${A(48)}`],
  ['OPENAI_API_KEY', `sk-proj-${A(20)}-${A(20)}_${A(20)}`],
  ['ANTHROPIC_API_KEY', `sk-ant-api03-${A(40)}-${A(40)}AA`],
  ['SLACK_TOKEN', `xoxb-${'1234567890'}-${A(24)}`],
  ['STRIPE_KEY', `sk_live_${A(24)}`],
  ['GOOGLE_API_KEY', `AIza${A(35)}`],
  ['NPM_TOKEN', `npm_${A(36)}`],
  ['GITLAB_TOKEN', `glpat-${A(20)}`],
  ['JWT', `eyJ${A(20)}.eyJ${A(30)}.${A(43)}`],
  ['PRIVATE_KEY', `-----BEGIN RSA PRIVATE KEY-----\n${A(64)}\n${A(20)}==\n-----END RSA PRIVATE KEY-----`],
  ['PRIVATE_KEY', `-----BEGIN OPENSSH PRIVATE KEY-----\\n${A(64)}\\n-----END OPENSSH PRIVATE KEY-----`],
];

describe('redact-secrets', () => {
  it.each(secrets)('replaces a %s anywhere in a text', (name, secret) => {
    expect(redacted(`key: ${secret} end`)).toBe(`key: <${name}> end`);
    expect(redacted(secret)).toBe(`<${name}>`);
    expect(redacted(`ünïcode 🔑${secret}🔑`)).toBe(`ünïcode 🔑<${name}>🔑`);
    expect(redacted(JSON.stringify({ a: `first\n${secret}` }))).toBe(`{"a":"first\\n<${name}>"}`);
    expect(redacted(JSON.stringify(JSON.stringify({ a: `\t${secret}` })))).toContain(`<${name}>`);
  });

  it.each([
    ['Authorization: Bearer abc12345', 'Authorization: Bearer <AUTHORIZATION>'],
    ['{"authorization":"Basic dXNlcjpwYXNz"}', '{"authorization":"Basic <AUTHORIZATION>"}'],
    ['curl -H "authorization: token 1234abcd"', 'curl -H "authorization: token <AUTHORIZATION>"'],
    [`send bearer ${A(20)}==, then`, 'send bearer <BEARER_TOKEN>, then'],
    [`aws_secret_access_key = ${A(40)}`, 'aws_secret_access_key = <AWS_SECRET_ACCESS_KEY>'],
    [`{\\"SecretAccessKey\\": \\"${A(40)}\\"}`, '{\\"SecretAccessKey\\": \\"<AWS_SECRET_ACCESS_KEY>\\"}'],
    ['postgres://app:p@ss:w0rd@db/x?y', 'postgres://app:<PASSWORD>@db/x?y'],
    ['redis://:hunter2@localhost:6379', 'redis://:<PASSWORD>@localhost:6379'],
    [`-----BEGIN PRIVATE KEY-----\n${A(64)} cut`, '<PRIVATE_KEY>'],
  ])('replaces only the secret in %s', (text, expected) => {
    expect(redacted(text)).toBe(expected);
  });

  it.each([
    'https://example.com:8080/a@b',
    'task-0123456789012345678901234567890',
    'the bearer of this letter',
    'class="sk-loading-spinner-wide-component"',
    'AKIA is how they begin',
    'eyJ is base64 of {" and a.b.c is no token',
    '-----BEGIN PUBLIC KEY-----',
    'npm_config_registry',
    'mail me@example.com: thanks',
  ])('leaves %s unchanged', (text) => {
    expect(redacted(text)).toBe(text);
  });

  it('redacts secrets at any depth of arguments, and removes members whose name holds one', () => {
    const token = `ghp_${A(36)}`;
    const args = { list: [{ deep: `x ${token}` }], [token]: 1, n: 5, flag: true, nothing: null };
    expect(run({}, { args })).toMatchObject({
      effect: 'allow',
      changes: { args: { list: [{ deep: 'x <GITHUB_TOKEN>' }], n: 5, flag: true, nothing: null } },
    });
    expect(JSON.stringify(run({}, { args }))).not.toContain(token);
    expect(run({ onArguments: 'deny' }, { args })).toMatchObject({
      effect: 'deny',
      denial: { reason: expect.stringContaining('GITHUB_TOKEN') },
    });
    expect(JSON.stringify(run({ onArguments: 'deny' }, { args }))).not.toContain(token);
    expect(redactSecrets({ onArguments: 'allow' }).phases).toEqual(['call.after', 'notify']);
    expect(run({}, { args: { a: 'clean' } })).toMatchObject({ changes: undefined });
  });

  it('redacts results of every kind and notifications, but not the members that steer the protocol', () => {
    const token = `ghp_${A(36)}`;
    const result = {
      resultType: 'complete',
      nextCursor: token,
      contents: [{ uri: `https://u:${token}@h/x`, text: token }],
      structuredContent: { token },
    };
    expect(run({}, { phase: 'call.after', result })).toMatchObject({
      changes: {
        result: {
          resultType: 'complete',
          nextCursor: token,
          contents: [{ uri: 'https://u:<GITHUB_TOKEN>@h/x', text: '<GITHUB_TOKEN>' }],
          structuredContent: { token: '<GITHUB_TOKEN>' },
        },
      },
    });
    const params = { progressToken: token, progress: 1, message: `got ${token}` };
    expect(run({}, { phase: 'notify', notification: { method: 'notifications/progress', params } })).toMatchObject({
      changes: { params: { progressToken: token, progress: 1, message: 'got <GITHUB_TOKEN>' } },
    });
  });

  it('redacts values under configured names, also in JSON inside text', () => {
    const keys = { keys: ['password', 'api_key', 'pin'] };
    const result = { structuredContent: { Password: 'x', apiKey: { a: [1, 'y', true] }, user: 'z', __proto__x: 'q' } };
    expect(run(keys, { phase: 'call.after', result })).toMatchObject({
      changes: {
        result: {
          structuredContent: { Password: '<PASSWORD>', apiKey: { a: ['<API_KEY>', '<API_KEY>', true] }, user: 'z' },
        },
      },
    });
    const object = { password: 'a"b\\', list: [{ 'API-KEY': 'x, "y"' }], pin: -12.5e3, next: 'stays' };
    const once = JSON.stringify(object);
    const expected = { password: '<PASSWORD>', list: [{ 'API-KEY': '<API_KEY>' }], pin: '<PIN>', next: 'stays' };
    expect(JSON.parse(redacted(once, keys))).toEqual(expected);
    expect(JSON.parse(JSON.parse(redacted(JSON.stringify(once), keys)))).toEqual(expected);
    expect(redacted('{"password": "not closed', keys)).toBe('{"password": "<PASSWORD>');
    expect(redacted(once)).toBe(once);
  });

  it('redacts any value under a configured name idempotently, and the text stays JSON', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (secret, user) => {
        const password = `p${secret}`;
        const text = JSON.stringify({ password, user });
        const after = redacted(text, { keys: ['password'] });
        expect(JSON.parse(after).password).toBe('<PASSWORD>');
        expect(redacted(after, { keys: ['password'] })).toBe(after);
      }),
    );
  });

  it('accepts RE2 expressions as patterns, and reports invalid ones', () => {
    const patterns = [{ name: 'CASE_NUMBER', pattern: 'CASE-[0-9]{6}' }];
    expect(redacted('see CASE-123456 and CASE-12', { patterns })).toBe('see <CASE_NUMBER> and CASE-12');
    const mistake = (options: Record<string, unknown>) => () => redactSecrets(options);
    expect(mistake({ patterns: [{ name: 'X', pattern: '(?=a)' }] })).toThrow(
      /options\.patterns\[0\]\.pattern: this is no RE2/,
    );
    expect(mistake({ patterns: [{ name: 'X', pattern: 'a*' }] })).toThrow(/would match everywhere/);
    expect(mistake({ patterns: [{ name: '$1', pattern: 'a' }] })).toThrow(
      /options\.patterns\[0\]\.name: allowed: capitals/,
    );
    expect(mistake({ onArguments: 'hide' })).toThrow(/options\.onArguments: /);
  });

  describe('redact-secrets takes linear time', () => {
    const own = { patterns: [{ name: 'OWN', pattern: '([a-z]+)+-x[0-9]+' }], keys: ['password'] };
    const texts: Record<string, string> = {
      'words of nothing': 'lorem ipsum dolor ',
      'beginnings of tokens': 'eyJaaaaaaaaaaaa.',
      'one endless beginning': 'eyJ',
      'keys that do not end': '-----BEGIN PRIVATE KEY-----',
      dashes: '-----',
      'passwords without a host': '://a:b@b@b@b:',
      'names without an end': '{"password":"',
      backslashes: '\\\\\\\\\\\\\\\\"',
      headers: 'authorization: bearer ',
      'short prefixes': 'sk-ant-ghp_xoxb-AIzanpm_',
    };
    const timeOf = (text: string): number => {
      const cpu = cpuClock();
      redacted(text, own);
      return cpu();
    };
    it.each(Object.entries(texts))('for %s', (_, piece) => {
      const text = (bytes: number) => piece.repeat(Math.ceil(bytes / piece.length));
      const [eighth, whole] = [text(256 * 1024), text(2 * 1024 * 1024)];
      timeOf(text(64 * 1024));
      const best = (of: string) => Math.min(timeOf(of), timeOf(of), timeOf(of));
      // 8 times the text: quadratic would take 64 times as long; the rest is room for collectors and neighbours.
      expect(best(whole)).toBeLessThan(best(eighth) * 24 + 50);
    });

    it('for 8 MiB with one secret at the end', () => {
      const text = `${'x '.repeat(4 * 1024 * 1024)}ghp_${A(36)}`;
      expect(redacted(text).endsWith('x <GITHUB_TOKEN>')).toBe(true);
    });

    it.each(secrets)('for a %s of 8 MiB', (name, secret) => {
      const long = 'a'.repeat(8 * 1024 * 1024);
      const after = redacted(`${secret} ${long}`, own);
      expect(after).toBe(`<${name}> ${long}`);
      expect(redacted(`${secret.slice(0, 12)}${long}`)).toBeTypeOf('string');
    });

    it('for names and passwords of 8 MiB', () => {
      const long = 'a'.repeat(8 * 1024 * 1024);
      expect(redacted(`authorization: bearer ${long}`)).toBe('authorization: bearer <AUTHORIZATION>');
      expect(redacted(`bearer ${long}`)).toBe('bearer <BEARER_TOKEN>');
      expect(redacted(`://${long}:${long}@`)).toHaveLength(2 * long.length + 5);
    });
  });
});
