import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { createLog } from '../../observe/log.ts';
import { memoryState } from '../../state/memory/memory-state.ts';
import { Leases } from './leases.ts';
import { type StoredLogin, Vault } from './vault.ts';
import { loadVaultKeys, VaultKeys } from './vault-keys.ts';

const [one, two] = [randomBytes(32), randomBytes(32)];
const base64 = (key: Buffer): string => key.toString('base64');
const sources = (env?: string, file?: string) => ({ env, file, secret: async () => one });

const login: StoredLogin = {
  principal: 'ada',
  grant: undefined,
  server: 'notes',
  url: 'https://notes.example/mcp',
  issuer: 'https://issuer.example',
  resource: 'https://notes.example/mcp',
  accessToken: 'access-token-of-ada',
  tokenType: 'Bearer',
  refreshToken: 'refresh-token-of-ada',
  scopes: ['read'],
  since: 1,
  expiresAt: undefined,
  client: { client_id: 'gateway', client_secret: 'secret-of-the-client' },
  redirectUri: 'http://127.0.0.1/connect/callback',
  metadata: {},
  dpopKey: undefined,
};

describe('vault keys', () => {
  it('open what they sealed, at its place and unchanged only', () => {
    const keys = new VaultKeys([one]);
    const sealed = keys.seal('text', 'here');
    expect(keys.open(sealed, 'here')).toEqual({ text: 'text', byOldKey: false });
    expect(keys.open(sealed, 'there')).toBeUndefined();
    // Of the last character only some bits count, of the one before all of them.
    const changed = sealed.replace(/.(?=.$)/, (last) => (last === 'A' ? 'B' : 'A'));
    expect(keys.open(changed, 'here')).toBeUndefined();
    for (const broken of ['', 'v1', 'v1.a.b.c', sealed.replace('v1', 'v2')]) {
      expect(keys.open(broken, 'here')).toBeUndefined();
    }
    expect(keys.seal('text', 'here')).not.toBe(sealed);
  });

  it('that came later open what earlier ones sealed, and seal anew', () => {
    const sealed = new VaultKeys([one]).seal('text', 'here');
    expect(new VaultKeys([two, one]).open(sealed, 'here')).toEqual({ text: 'text', byOldKey: true });
    expect(new VaultKeys([two]).open(sealed, 'here')).toBeUndefined();
    const anew = new VaultKeys([two, one]).seal('text', 'here');
    expect(new VaultKeys([two]).open(anew, 'here')?.text).toBe('text');
  });

  it('come from the environment, a file, or the state, whose key always opens', async () => {
    const sealed = (await loadVaultKeys(sources())).seal('text', 'here');
    const fromEnv = await loadVaultKeys(sources(`${base64(two)}, ${one.toString('hex')}`));
    expect(fromEnv.open(sealed, 'here')).toEqual({ text: 'text', byOldKey: true });
    const folder = await mkdtemp(join(tmpdir(), 'switchboard-vault-test-'));
    try {
      const file = join(folder, 'keys');
      await writeFile(file, `${base64(two)}\n`);
      const fromFile = await loadVaultKeys(sources(undefined, file));
      expect(fromFile.open(sealed, 'here')?.text).toBe('text');
      expect(fromEnv.open(fromFile.seal('x', 'y'), 'y')?.text).toBe('x');
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it.each(['too-short', 'password', base64(randomBytes(16)), base64(randomBytes(33))])(
    'that are none are a mistake that says nothing of them: %s',
    async (text) => {
      const failed = await loadVaultKeys(sources(text)).catch((error: Error) => error);
      expect(failed).toMatchObject({ code: 'SWB_CONFIG', message: expect.not.stringContaining(text) });
    },
  );

  it('in a file that is not there are a mistake', async () => {
    await expect(loadVaultKeys(sources(undefined, '/nowhere/keys'))).rejects.toMatchObject({ code: 'SWB_CONFIG' });
  });
});

describe('the vault', () => {
  const log = createLog('silent');

  it('keeps nothing that could be read, and one login for each principal and server', async () => {
    const state = memoryState(log);
    const vault = new Vault(state.kv, new VaultKeys([one]), log);
    // No text in base64 can hold this name by chance.
    const ada = { ...login, principal: 'ada@example' };
    await vault.keep(ada);
    await vault.keep({ ...login, principal: 'bob', accessToken: 'access-token-of-bob' });
    await vault.keep({ ...ada, issuer: 'https://other.example', accessToken: 'later', since: 2 });
    expect((await vault.login(ada.principal, 'notes'))?.accessToken).toBe('later');
    expect((await vault.logins()).map(({ principal }) => principal).sort()).toEqual([ada.principal, 'bob']);
    const kept = JSON.stringify(await state.kv.entries('vault'));
    expect(kept).not.toMatch(/token|ada@|secret|issuer/);
    expect((await vault.forget(ada.principal, 'notes'))?.accessToken).toBe('later');
    expect(await vault.login(ada.principal, 'notes')).toBeUndefined();
    expect(await vault.login('bob', 'notes')).toBeDefined();
    await state.close();
  });

  it('takes an entry that its keys do not open for none', async () => {
    const state = memoryState(log);
    await new Vault(state.kv, new VaultKeys([one]), log).keep(login);
    expect(await new Vault(state.kv, new VaultKeys([two]), log).login('ada', 'notes')).toBeUndefined();
    expect(await new Vault(state.kv, new VaultKeys([two, one]), log).login('ada', 'notes')).toEqual(login);
    await state.close();
  });

  it('encrypts everything anew with the first key, and needs no other one afterwards', async () => {
    const state = memoryState(log);
    const old = new Vault(state.kv, new VaultKeys([one]), log);
    const bob = { ...login, principal: 'bob', server: 'no.tes' };
    for (const each of [login, bob]) await old.keep(each);
    await old.keepClient('https://issuer.example', '', login.client);
    const both = new Vault(state.kv, new VaultKeys([two, one]), log);
    expect(await both.sealAnew()).toEqual({ anew: 3, left: 0 });
    expect(await both.sealAnew()).toEqual({ anew: 0, left: 0 });
    const next = new Vault(state.kv, new VaultKeys([two]), log);
    expect(await next.logins()).toEqual(expect.arrayContaining([login, bob]));
    expect(await next.client('https://issuer.example', '')).toEqual(login.client);
    // Again, and with another login in the same place.
    const three = new Vault(state.kv, new VaultKeys([one, two]), log);
    expect(await three.sealAnew()).toEqual({ anew: 3, left: 0 });
    await three.keep({ ...login, accessToken: 'later', since: 2 });
    expect((await three.login('ada', 'notes'))?.accessToken).toBe('later');
    expect(await state.kv.entries('vault')).toHaveLength(2);
    expect(await next.sealAnew()).toEqual({ anew: 0, left: 3 });
    await state.close();
  });

  it.each([
    [
      'made',
      async (vault: Vault) => vault.keep({ ...login, accessToken: 'made meanwhile', since: 2 }),
      'made meanwhile',
    ],
    ['revoked', async (vault: Vault) => vault.forget('ada', 'notes'), undefined],
  ])('leaves a login as it is that is %s while it is encrypted anew', async (_, change, expected) => {
    const state = memoryState(log);
    await new Vault(state.kv, new VaultKeys([one]), log).keep(login);
    const keys = new VaultKeys([two, one]);
    // Just before the old place is taken away.
    const kv = new Proxy(state.kv, {
      get: (target, name) =>
        name === 'take'
          ? async (namespace: string, key: string) => {
              await change(new Vault(target, keys, log));
              return target.take(namespace, key);
            }
          : Reflect.get(target, name).bind(target),
    });
    await new Vault(kv, keys, log).sealAnew();
    const after = new Vault(state.kv, new VaultKeys([two]), log);
    expect((await after.logins()).map(({ accessToken }) => accessToken)).toEqual(
      expected === undefined ? [] : [expected],
    );
    await state.close();
  });

  it('encrypts no login anew that is being renewed', async () => {
    const state = memoryState(log);
    await new Vault(state.kv, new VaultKeys([one]), log).keep(login);
    const release = await new Leases(state.kv).take('notes', 'ada');
    const both = new Vault(state.kv, new VaultKeys([two, one]), log);
    expect(await both.sealAnew()).toEqual({ anew: 0, left: 1 });
    await release?.();
    expect(await both.sealAnew()).toEqual({ anew: 1, left: 0 });
    await state.close();
  });

  it('gives a login under way to one caller', async () => {
    const state = memoryState(log);
    const vault = new Vault(state.kv, new VaultKeys([one]), log);
    await vault.keepPending('state', { principal: 'ada' }, 60_000);
    const taken = await Promise.all([vault.takePending('state'), vault.takePending('state')]);
    expect(taken.filter((each) => each !== undefined)).toEqual([{ principal: 'ada' }]);
    await state.close();
  });
});
