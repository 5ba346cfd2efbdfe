import { afterEach, describe, expect, it } from 'vitest';
import { cpuClock } from '../core/testing/cpu.ts';
import { describeConfig, loadConfig } from '../load-config.ts';
import { redact, redactText } from './redact.ts';
import { configFile, removeTemporaryFolders } from './testing/files.ts';

afterEach(removeTemporaryFolders);

describe('redact', () => {
  it.each([
    [{ headers: { a: 's' } }, { headers: { a: '[redacted]' } }],
    [{ env: { A: 's', B: 1 } }, { env: { A: '[redacted]', B: '[redacted]' } }],
    [{ headers: ['a', 's'] }, { headers: '[redacted]' }],
    [
      { token: 's', apiKey: 's', api_key: 's' },
      { token: '[redacted]', apiKey: '[redacted]', api_key: '[redacted]' },
    ],
    [
      { accessToken: 's', 'x-api-key': 's' },
      { accessToken: '[redacted]', 'x-api-key': '[redacted]' },
    ],
    [
      { Authorization: 's', clientSecret: 's', adminToken: 's' },
      { Authorization: '[redacted]', clientSecret: '[redacted]', adminToken: '[redacted]' },
    ],
    [{ deep: [{ list: [{ password: 's' }] }] }, { deep: [{ list: [{ password: '[redacted]' }] }] }],
    [
      { progressToken: 4, maxTokens: 10, inputTokens: 3 },
      { progressToken: 4, maxTokens: 10, inputTokens: 3 },
    ],
    [
      { token: undefined, hasToken: true },
      { token: undefined, hasToken: true },
    ],
    [
      { bytes: Buffer.from('abc'), url: new URL('http://u:p@h/x') },
      { bytes: '[3 bytes]', url: 'http://h/x' },
    ],
  ])('turns %j into %j', (value, expected) => {
    expect(redact(value)).toEqual(expected);
  });

  it('does not change its input, and ends on cycles', () => {
    const value: Record<string, unknown> = { token: 's' };
    value.self = value;
    expect(JSON.stringify(redact(value))).toContain('[…]');
    expect(value.token).toBe('s');
  });
});

describe('redactText', () => {
  it.each([
    ['http://user:pw@host:1/p', 'http://host:1/p'],
    ['see https://h/p?apiKey=x&y=z, please', 'see https://h/p?[redacted] please'],
    ['Authorization: Bearer abcdef123456', 'Authorization: Bearer [redacted]'],
    ['basic dXNlcjpwdw==', 'basic [redacted]'],
    ['the bearer of news', 'the bearer of news'],
    [`key sha256:key_id-1:${'s'.repeat(16)}:${'h'.repeat(43)}.`, 'key sha256:key_id-1:[redacted].'],
    [`the key swb_${'i'.repeat(12)}_${'s'.repeat(43)}!`, `the key swb_${'i'.repeat(12)}_[redacted]!`],
    [`sha256:${'a'.repeat(64)}`, `sha256:${'a'.repeat(64)}`],
    ['nothing to hide', 'nothing to hide'],
  ])('turns %j into %j', (text, expected) => {
    expect(redactText(text)).toBe(expected);
  });
});

describe('describeConfig', () => {
  it('shows policy without keys, tokens and options', async () => {
    const secret = 'S'.repeat(43);
    const file = await configFile({
      mcpServers: {
        a: { url: 'http://h', policy: { version: '1', default: 'deny', hide: ['x'], tools: { y: {}, z: {} } } },
      },
      gateway: {
        adminToken: secret,
        grants: { ci: { key: `sha256:key-id-1:${'s'.repeat(16)}:${secret}`, servers: ['a'] } },
        hooks: [{ use: 'rewrite-arguments', options: { set: secret } }],
      },
    });
    const shown = describeConfig(await loadConfig({ file, env: {} }));
    expect(JSON.stringify(shown)).not.toContain(secret);
    expect(shown).toMatchObject({
      policy: {
        defaultPolicy: { default: 'deny' },
        servers: { a: { mode: 'enforce', default: 'deny', hide: 1, allTools: 0, tools: 2 } },
        grants: [{ name: 'ci', keys: 1, servers: ['a'] }],
        hooks: [{ name: 'rewrite-arguments', options: ['set'] }],
        adminToken: '[redacted]',
      },
    });
  });

  it('shows a configuration without anything that may be a secret', async () => {
    const secret = 'sk-0123456789abcdefghij';
    const file = await configFile({
      mcpServers: {
        a: { url: `http://h/s/${secret}/mcp?key=${secret}`, headers: { authorization: `Bearer ${secret}` } },
        b: { command: 'x', args: ['--key', secret], env: { KEY: secret } },
      },
      gateway: { token: secret },
    });
    const shown = describeConfig(await loadConfig({ file, env: {} }));
    expect(JSON.stringify(shown)).not.toContain(secret);
    expect(shown).toMatchObject({
      gateway: { port: 7300, token: '[redacted]' },
      servers: [
        { name: 'a', target: { transport: 'auto', origin: 'http://h', headers: ['authorization'] } },
        { name: 'b', target: { transport: 'stdio', command: 'x', args: 2, env: ['KEY'] } },
      ],
    });
  });
});

it('redactText takes linear time for text made to be slow to search', () => {
  const long = 400_000;
  for (const piece of ['swb_', 'sha256:', 'a.', 'x://', 'bearer ', 'a-b+', '://@', '?']) {
    const cpu = cpuClock();
    redactText(`x://h bearer ${piece.repeat(long / piece.length)}`);
    redactText(`x://${piece.repeat(long / piece.length)}`);
    expect(cpu()).toBeLessThan(5_000);
  }
});

it('redactText leaves only scheme, host and path of any URL', () => {
  expect(redactText('x+y.z-1://u:p@w@host:1/p@q?k=v#f and http://h#frag?no')).toBe(
    'x+y.z-1://host:1/p@q?[redacted] and http://h#frag?no',
  );
});
