// biome-ignore-all lint/suspicious/noTemplateCurlyInString: references in files look like template strings.
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { configFile, removeTemporaryFolders } from '../../config/testing/files.ts';
import { mistakes } from '../../config/testing/load.ts';
import { loadConfig } from '../../load-config.ts';

afterEach(removeTemporaryFolders);

const key = `sha256:key-id-1:${'s'.repeat(16)}:${'h'.repeat(43)}`;

/** The lines of the error that loading gives, for a configuration with files beside it. */
async function withFiles(content: object | string, files: Readonly<Record<string, string>>): Promise<string[]> {
  const file = await configFile(content);
  for (const [name, text] of Object.entries(files)) await writeFile(join(dirname(file), name), text);
  const loading = loadConfig({ file, env: {}, cwd: dirname(file) });
  return (
    await loading.then(
      () => 'it loaded',
      (error: Error) => error.message,
    )
  ).split('\n');
}

describe('mistakes in policy', () => {
  it('in an inline document have their places in servers.json, beside all others', async () => {
    const lines = await mistakes(
      '{\n "mcpServers": {\n  "a": { "url": "http://h", "kind": "mastr", "policy": { "version": "1",\n' +
        '    "tools": { "x": { "requires": [] } } } }\n },\n "gateway": { "port": "x",\n' +
        '  "policy": { "version": "1", "default": "deny", "hid": [] },\n' +
        '  "grants": { "ci": { "policy": { "version": "2", "default": "deny" } } } }\n}',
    );
    expect(lines.map((line) => line.slice(0, 100))).toEqual([
      expect.stringContaining('servers.json:3:29 mcpServers.a.kind: found "mastr"'),
      expect.stringContaining(
        'servers.json:3:46 mcpServers.a.policy.default: found nothing; allowed: "allow" or "deny"',
      ),
      expect.stringContaining('servers.json:4:23 mcpServers.a.policy.tools.x.requires: found an unknown key; did you'),
      expect.stringContaining('servers.json:6:15 gateway.port: found "x"'),
      expect.stringContaining('servers.json:7:50 gateway.policy.hid: found an unknown key; did you mean "hide"?'),
      expect.stringContaining('servers.json:8:15 gateway.grants.ci.key: found nothing'),
      expect.stringContaining('servers.json:8:35 gateway.grants.ci.policy.version: found "2"; did you mean "1"?'),
    ]);
  });

  it('in a file have its own name, line and column, and are reported once however often it is named', async () => {
    const lines = await withFiles(
      {
        gateway: { port: -1, policy: 'p.json', defaultPolicy: './p.json' },
        servers: { a: { url: 'http://h', policy: 'p.json' } },
      },
      {
        'p.json':
          '{\n  "version": "1",\n  "tools": { "t": { "limit": [] } },\n  "mode": "dry",\n  "default": "deny"\n}',
      },
    );
    expect(lines).toEqual([
      expect.stringMatching(/^servers\.json:3:5 gateway\.port: found -1/),
      expect.stringMatching(/^p\.json:3:21 tools\.t\.limit: found an unknown key; did you mean "limits"\?/),
      expect.stringMatching(/^p\.json:4:3 mode: found "dry"; allowed: "enforce" or "shadow"\.$/),
    ]);
  });

  it('are one for a file that is missing, a folder, too large, or no JSON', async () => {
    const oneOf = async (policy: string, files: Record<string, string> = {}) => {
      const lines = await withFiles({ gateway: { policy } }, files);
      expect(lines).toHaveLength(1);
      return lines[0];
    };
    expect(await oneOf('none.json')).toBe(
      'servers.json:3:5 gateway.policy: the policy file none.json was not read: there is no such file.',
    );
    expect(await oneOf('.')).toMatch(
      /gateway\.policy: the policy file .* was not read: this is a folder; name the file/,
    );
    expect(await oneOf('big.json', { 'big.json': ' '.repeat(4 * 1024 * 1024 + 1) })).toContain(
      'the policy file big.json was not read: the file is over 4194304 bytes',
    );
    expect(await oneOf('p.json', { 'p.json': '{\n "version": 1\n "default"' })).toBe(
      'p.json:3:2: not JSON: found a double quote where , or } must be.',
    );
    expect(await oneOf('p.yaml', { 'p.yaml': 'version: "1"\ntools: {}\n' })).toMatch(/^p\.yaml:1:1: this is YAML/);
    expect(await oneOf('p.json', { 'p.json': '[]' })).toContain('p.json:1:1: found an empty list; allowed: a policy');
    const lines = await mistakes({ gateway: { defaultPolicy: 'alow' } });
    expect(lines[0]).toMatch(/the policy file alow was not read: there is no such file; did you mean "allow"\?/);
  });

  it.each([
    [{ policy: 5 }, /gateway\.policy: found 5; allowed: a string that is not empty or an object\.$/],
    [{ policy: '' }, /gateway\.policy: found an empty string; allowed/],
    [{ grants: [] }, /gateway\.grants: found an empty list; allowed: an object/],
    [{ grants: { local: { key } } }, /gateway\.grants\.local: the name "local" is the local user’s; choose another/],
    [{ grants: { Local: { key } } }, /gateway\.grants\.Local: the name "local" is the local user’s/],
    [{ grants: { 'a b': { key } } }, /gateway\.grants\["a b"\]: not a usable name; allowed: letters.*"a-b" would do/],
    [{ grants: { all: { key } } }, /gateway\.grants\.all: the name "all" is reserved/],
    [{ grants: { ci: {} } }, /gateway\.grants\.ci\.key: found nothing; allowed/],
    [
      { grants: { ci: { key } }, mqtt: { url: 'mqtt://h', clients: { 'a-*': 'cd' } } },
      /gateway\.mqtt\.clients\["a-\*"\]: found "cd"; allowed: "local", "ci"/,
    ],
    [
      { mqtt: { url: 'mqtt://h', export: { grant: 'cd' } } },
      /gateway\.mqtt\.export\.grant: found "cd"; allowed: "local"/,
    ],
    [{ grants: { ci: { key: [] } } }, /gateway\.grants\.ci\.key: found an empty list/],
    [
      { grants: { ci: { key, server: ['x'] } } },
      /gateway\.grants\.ci\.server: .*did you mean "servers"\? allowed: key, servers, policy, expires/,
    ],
    [
      { grants: { ci: { key, expires: 'soon' } } },
      /gateway\.grants\.ci\.expires: found a string with other characters; allowed: a date such as/,
    ],
    [
      { grants: { ci: { key, expires: '2027-02-30' } } },
      /gateway\.grants\.ci\.expires: found a date that does not exist/,
    ],
    [
      { grants: { ci: { key, expires: '2027-13-01' } } },
      /gateway\.grants\.ci\.expires: found a date that does not exist/,
    ],
    [
      { grants: { ci: { key, expires: '2027-01-01T25:00Z' } } },
      /gateway\.grants\.ci\.expires: found a date that does not/,
    ],
    [
      { grants: { a: { key }, b: { key: [key] } } },
      /gateway\.grants\.b\.key\[0\]: found a key that the grant "a" has already/,
    ],
    [{ hooks: {} }, /gateway\.hooks: found an object; allowed: a list/],
    [{ hooks: [{}] }, /gateway\.hooks\[0\]: found neither use nor module; allowed: one of them/],
    [
      { hooks: [{ use: 'cap-result', module: 'x.ts' }] },
      /gateway\.hooks\[0\]: found use and module; allowed: one of them/,
    ],
    [{ hooks: [{ use: 'cap-results' }] }, /gateway\.hooks\[0\]\.use: found "cap-results"; did you mean "cap-result"\?/],
    [{ hooks: [{ module: 'none.ts' }] }, /gateway\.hooks\[0\]\.module: the module was not read: there is no such file/],
    [
      { hooks: [{ use: 'cap-result' }, { use: 'cap-result' }] },
      /gateway\.hooks\[1\]: the hook "cap-result" is there already, as hooks\[0\]; give one another name/,
    ],
    [
      { hooks: [{ use: 'cap-result', phases: ['call.befor'] }] },
      /hooks\[0\]\.phases\[0\]: found "call\.befor"; did you mean "call\.before"\?/,
    ],
    [
      { hooks: [{ use: 'cap-result', name: 'a b' }] },
      /hooks\[0\]\.name: found "a b" with other characters; allowed: 1 to 64 letters/,
    ],
    [
      { hooks: [{ use: 'cap-result', timeoutMs: 60_001 }] },
      /hooks\[0\]\.timeoutMs: found 60001; allowed: a whole number from 1 to 60000/,
    ],
    [
      { hooks: [{ use: 'cap-result', onError: 'ignore' }] },
      /hooks\[0\]\.onError: found "ignore"; allowed: "deny" or "allow"/,
    ],
    [
      { audit: true, stateDir: false },
      /gateway\.audit: found no place for the records; name a file, or set gateway\.stateDir/,
    ],
    [{ audit: { maxBytes: 5 } }, /gateway\.audit\.maxBytes: found 5; allowed: a whole number from 4096 to 1073741824/],
    [{ audit: 'yes' }, /gateway\.audit: found "yes"; allowed: true or false or an object/],
    [{ lock: 'on' }, /gateway\.lock: found "on"; .*allowed: "off", "warn" or "deny"/],
    [{ validateArguments: 'no' }, /gateway\.validateArguments: found "no"; allowed: true or false/],
    [{ adminToken: 'short' }, /gateway\.adminToken: found a string that is too short; allowed: 16 to 4096 letters/],
    [{ token: 't'.repeat(16), adminToken: 't'.repeat(16) }, /gateway\.adminToken: found the same as gateway\.token/],
  ])('are reported for gateway %j', async (gateway, line) => {
    const lines = await mistakes({ gateway });
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatch(line);
  });

  it('include a module whose file name makes no name for a hook', async () => {
    const file = await configFile({ gateway: { hooks: [{ module: 'sub/…ä.ts' }] } });
    await mkdir(join(dirname(file), 'sub'));
    await writeFile(join(dirname(file), 'sub/…ä.ts'), '');
    await expect(loadConfig({ file, env: {} })).rejects.toThrow(
      /hooks\[0\]\.module: found a file name that makes no name/,
    );
  });

  it('include a grant whose name would reach a prototype', async () => {
    const lines = await mistakes(`{"gateway": {"grants": {"__proto__": {"key": "${key}"}}}}`);
    expect(lines).toEqual([expect.stringContaining('gateway.grants.__proto__: not a usable name')]);
  });

  it('never quote a key, a token or an option', async () => {
    const secret = 'swb_live-0123456789abcdef';
    const { text, count } = await mistakes(
      {
        gateway: {
          adminToken: `${secret} with spaces`,
          grants: {
            a: { key: secret },
            b: { key: [key, secret] },
            c: secret,
            d: { key: `\${KEY}` },
            e: { key: 5 },
            f: { keys: secret },
          },
          hooks: [{ use: 'cap-result', options: secret }],
        },
      },
      { KEY: secret },
    ).then((lines) => ({ text: lines.join('\n'), count: lines.length }));
    expect(text).not.toContain(secret);
    expect(count).toBeGreaterThan(4);
    const plain = await mistakes({ gateway: { grants: { a: { key: secret }, b: { key: [key, secret] } } } });
    expect(plain).toHaveLength(2);
    for (const line of plain)
      expect(line).toMatch(/must not stand here: run `switchboard grants add`, which makes one/);
    expect(plain.join('\n')).not.toContain(secret);
  });
});
