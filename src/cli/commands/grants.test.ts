import { chmod, lstat, mkdir, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { GrantKeys } from '../../auth/grant-keys.ts';
import { newKey } from '../../auth/key.ts';
import { parseJsonc } from '../../config/jsonc.ts';
import { configFile, removeTemporaryFolders } from '../../config/testing/files.ts';
import { readConfig } from '../../load-config.ts';
import type { JsonObject } from '../../wire/jsonrpc.ts';
import { editFile } from '../config-edit.ts';
import { run } from '../program.ts';
import { testIo } from '../testing/io.ts';

afterEach(removeTemporaryFolders);

const KEY = /^swb_[0-9a-f]{12}_[\w-]{43}$/;

async function cli(file: string, ...args: string[]) {
  const io = testIo({ cwd: dirname(file) });
  const code = await run(args, io, () => Promise.reject(new Error('No gateway is needed.')));
  return { code, out: io.stdout.text, lines: io.stdout.lines, err: io.stderr.text };
}

const grantsOf = async (file: string): Promise<Record<string, JsonObject>> => {
  const { gateway } = parseJsonc(await readFile(file, 'utf8')).value as { gateway: { grants: never } };
  return gateway.grants;
};
const keysOf = async (file: string): Promise<GrantKeys> =>
  new GrantKeys((await readConfig(await readFile(file, 'utf8'), file, { env: {} })).policy);

const COMMENTED = `{
    // What we talk to.
    "servers": {
        "docs": { "url": "http://docs.example/mcp" }, // the handbook
    },
    /* Where we listen. */
    "gateway": {
        "port": 0, // any
        "token": "correct-horse-battery",
    },
}
`;

describe('grants add', () => {
  it('prints a key that opens the gateway, once, and keeps a hash of it', async () => {
    const file = await configFile({ servers: {} });
    const { code, lines, err } = await cli(file, 'grants', 'add', 'ci');
    expect(code).toBe(0);
    expect(lines).toEqual([expect.stringMatching(KEY)]);
    const [key = ''] = lines;
    expect(err).toContain('shown this once');
    expect(err).toContain('by default is to deny');
    expect(err).toContain('from now on HTTP clients need a key');
    expect((await keysOf(file)).verify(key)).toBe('ci');
    const text = await readFile(file, 'utf8');
    expect(text).not.toContain(key.slice(-43));
    expect(await readdir(dirname(file))).toEqual(['servers.json']);
  });

  it('prints one JSON document with --json', async () => {
    const file = await configFile({});
    const { code, out } = await cli(file, 'grants', 'add', 'ci', '--json');
    const said = JSON.parse(out);
    expect(code).toBe(0);
    expect(said).toMatchObject({ grant: 'ci', key: expect.stringMatching(KEY), file });
    expect(said.key).toContain(said.keyId);
    expect((await keysOf(file)).verify(said.key)).toBe('ci');
  });

  it('keeps every other line: comments, layout, commas', async () => {
    const file = await configFile(COMMENTED);
    expect((await cli(file, 'grants', 'add', 'ci', '--server', 'do*', '--server', 'x')).code).toBe(0);
    expect((await cli(file, 'grants', 'add', 'app')).code).toBe(0);
    const after = (await readFile(file, 'utf8')).split('\n');
    const before = COMMENTED.split('\n');
    expect(before.filter((line) => !after.includes(line))).toEqual([]);
    expect(after.some((line) => /^ {8}"grants": \{$/.test(line))).toBe(true);
    const grants = await grantsOf(file);
    expect(Object.keys(grants)).toEqual(['ci', 'app']);
    expect(grants.ci?.servers).toEqual(['do*', 'x']);
    expect((await cli(file, 'grants', 'revoke', 'app')).code).toBe(0);
    expect((await cli(file, 'grants', 'revoke', 'ci')).code).toBe(0);
    const end = (await readFile(file, 'utf8')).split('\n');
    expect(before.filter((line) => !end.includes(line))).toEqual([]);
  });

  it('writes the policy relative to the file, wherever it is given, and an end', async () => {
    const file = await configFile({});
    const folder = join(dirname(file), 'sub');
    await mkdir(folder);
    await writeFile(join(folder, 'ci.json'), JSON.stringify({ version: '1', default: 'allow' }));
    const io = testIo({ cwd: folder });
    const args = ['grants', 'add', 'ci', '--policy', 'ci.json', '--expires', '30d', '--config', file];
    expect(await run(args, io)).toBe(0);
    const { ci } = await grantsOf(file);
    expect(ci?.policy).toBe('sub/ci.json');
    const days = (Date.parse(String(ci?.expires)) - Date.now()) / 86_400_000;
    expect(days).toBeGreaterThan(29.9);
    expect(days).toBeLessThanOrEqual(30);
    expect((await cli(file, 'grants', 'add', 'later', '--expires', '2999-01-31')).code).toBe(0);
    expect((await grantsOf(file)).later?.expires).toBe('2999-01-31');
  });

  it.each([
    ['a name that is there', ['ci'], /"ci" already.*--rotate/],
    ['the name of the local user', ['local'], /local/],
    ['a name that is none', ['a b'], /not a usable name/],
    ['a policy that is not there', ['x', '--policy', 'none.json'], /none\.json/],
    ['an end in the past', ['x', '--expires', '2001-01-01'], /past already/],
    ['an end that is no date', ['x', '--expires', 'soon'], /--expires takes/],
    ['a rotation of nothing', ['x', '--rotate'], /no grant "x".*: ci\./],
  ])('refuses %s and writes nothing', async (_, args, message) => {
    const file = await configFile({ gateway: { grants: { ci: { key: newKey().stored } } } });
    const before = await readFile(file, 'utf8');
    const { code, out, err } = await cli(file, 'grants', 'add', ...args);
    expect(code).toBe(2);
    expect(err).toMatch(message);
    expect(out).toBe('');
    expect(await readFile(file, 'utf8')).toBe(before);
    expect(await readdir(dirname(file))).toEqual(['servers.json']);
  });

  it('rotates: the new key beside the old one, the oldest of three goes', async () => {
    const file = await configFile({});
    const make = async (...more: string[]) => (await cli(file, 'grants', 'add', 'ci', ...more)).lines[0] ?? '';
    const first = await make('--server', 'docs');
    const second = await make('--rotate');
    let keys = await keysOf(file);
    expect([first, second].map((key) => keys.verify(key))).toEqual(['ci', 'ci']);
    const { err, lines } = await cli(file, 'grants', 'add', 'ci', '--rotate');
    expect(err).toContain(`${first.slice(4, 16)} opens nothing any more`);
    keys = await keysOf(file);
    expect([first, second, lines[0] ?? ''].map((key) => keys.verify(key))).toEqual([undefined, 'ci', 'ci']);
    expect((await grantsOf(file)).ci?.servers).toEqual(['docs']);
  });

  it('keeps the mode of the file, and a symbolic link one', async () => {
    const file = await configFile({});
    await chmod(file, 0o640);
    const link = join(dirname(file), 'link.json');
    await symlink(file, link);
    expect((await cli(file, 'grants', 'add', 'ci', '--config', link)).code).toBe(0);
    expect((await stat(file)).mode & 0o777).toBe(0o640);
    expect((await lstat(link)).isSymbolicLink()).toBe(true);
    expect(Object.keys(await grantsOf(file))).toEqual(['ci']);
  });

  it('run several times at once keeps every grant it reported', async () => {
    const file = await configFile({});
    const names = ['a', 'b', 'c', 'd', 'e'];
    const all = await Promise.all(names.map((name) => cli(file, 'grants', 'add', name)));
    const succeeded = names.filter((_, i) => all[i]?.code === 0);
    expect(succeeded.length).toBeGreaterThan(0);
    expect(Object.keys(await grantsOf(file)).sort()).toEqual(succeeded);
    for (const { code, err } of all) if (code !== 0) expect(err).toMatch(/Another command|changed by somebody else/);
  });

  it('reports a missing configuration file', async () => {
    const io = testIo({ cwd: '/', env: { AGENT_SERVERS: 'http://docs.example/mcp' } });
    expect(await run(['grants', 'add', 'ci'], io)).toBe(2);
    expect(io.stderr.text).toContain('Create servers.json');
  });
});

it('an edit of the file by another process is kept, and the command refused', async () => {
  const file = await configFile('{}');
  const edited = editFile(
    file,
    (text) => `${text} `,
    () => writeFile(file, '{ "servers": {} }'),
  );
  await expect(edited).rejects.toThrow('changed by somebody else');
  expect(await readFile(file, 'utf8')).toBe('{ "servers": {} }');
  expect(await readdir(dirname(file))).toEqual(['servers.json']);
});

describe('grants list', () => {
  it('shows names, servers, policies, ends and key ids, and never a hash', async () => {
    const [one, two, three] = [newKey(), newKey(), newKey()];
    const grants = {
      ci: { key: [one.stored, two.stored], servers: ['docs', 'git*'], policy: { version: '1', default: 'allow' } },
      old: { key: three.stored, expires: '2001-01-31' },
    };
    const file = await configFile({ gateway: { grants } });
    const { code, lines, out } = await cli(file, 'grants', 'list');
    expect(code).toBe(0);
    expect(lines.map((line) => line.replaceAll(/ {2,}/g, '|'))).toEqual([
      'NAME|SERVERS|POLICY|EXPIRES|KEYS',
      `ci|docs git*|inline|never|${one.id} ${two.id}`,
      `old|*|(default)|2001-01-31 (expired)|${three.id}`,
    ]);
    const json = await cli(file, 'grants', 'list', '--json');
    expect(JSON.parse(json.out).grants[1]).toEqual({
      name: 'old',
      servers: null,
      policy: null,
      expires: '2001-01-31T00:00:00.000Z',
      expired: true,
      keyIds: [three.id],
    });
    for (const text of [out, json.out]) {
      for (const { stored } of [one, two, three]) expect(text).not.toContain(stored.slice(-43));
    }
  });

  it('says how to add the first grant', async () => {
    expect((await cli(await configFile({}), 'grants', 'list')).out).toContain('switchboard grants add');
  });
});

describe('grants revoke', () => {
  it('takes the grant out and no other', async () => {
    const file = await configFile({ gateway: { token: 'correct-horse-battery' } });
    const [key = ''] = (await cli(file, 'grants', 'add', 'ci')).lines;
    const [other = ''] = (await cli(file, 'grants', 'add', 'app')).lines;
    const { code, out } = await cli(file, 'grants', 'revoke', 'ci');
    expect([code, out]).toEqual([0, expect.stringContaining(`"ci" is revoked: ${key.slice(4, 16)}`)]);
    const keys = await keysOf(file);
    expect([keys.verify(key), keys.verify(other)]).toEqual([undefined, 'app']);
  });

  it('stays closed when it was the last, also when started anew, and refuses a name that is not there', async () => {
    const file = await configFile({ gateway: { grants: { ci: { key: newKey().stored } } } });
    expect(await cli(file, 'grants', 'revoke', 'c')).toMatchObject({ code: 2, err: expect.stringContaining(': ci.') });
    const { code, err } = await cli(file, 'grants', 'revoke', 'ci');
    expect([code, err]).toEqual([0, expect.stringContaining('It was the last grant')]);
    expect(await grantsOf(file)).toEqual({});
    expect(err).toContain('every HTTP client is refused now');
    expect((await keysOf(file)).required).toBe(true);
    const again = await cli(file, 'grants', 'add', 'ci');
    expect(again.err).not.toContain('from now on');
  });
});
