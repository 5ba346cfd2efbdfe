import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { GrantKeys } from './grant-keys.ts';
import { newKey, parseKey, parseStoredKey } from './key.ts';

const grant = (name: string, keys: readonly string[], expiresAt?: number) => ({ name, keys, expiresAt });

test('a key is swb_<id>_<secret>, and what is kept is a hash of salt and secret', () => {
  const { key, id, stored } = newKey();
  expect(key).toMatch(/^swb_[0-9a-f]{12}_[\w-]{43}$/);
  expect(key).toContain(`swb_${id}_`);
  const [scheme, storedId, salt = '', hash] = stored.split(':');
  expect([scheme, storedId]).toEqual(['sha256', id]);
  expect(Buffer.from(salt, 'base64url')).toHaveLength(16);
  const secret = Buffer.from(key.slice(`swb_${id}_`.length), 'base64url');
  expect(secret).toHaveLength(32);
  const expected = createHash('sha256').update(Buffer.from(salt, 'base64url')).update(secret).digest('base64url');
  expect(hash).toBe(expected);
  expect(hash).toHaveLength(43);
  expect(stored).not.toContain(secret.toString('base64url'));
});

test('no two keys are the same', () => {
  const keys = new Set(Array.from({ length: 100 }, () => newKey().key));
  expect(keys.size).toBe(100);
});

test('what is no key is read as none', () => {
  for (const text of ['', 'swb_', 'swb_abc_def', `${newKey().key}x`, ` ${newKey().key}`, 'Bearer x', newKey().stored]) {
    expect(parseKey(text)).toBeUndefined();
  }
  for (const text of ['', 'sha256:::', newKey().key, `${newKey().stored}=`])
    expect(parseStoredKey(text)).toBeUndefined();
});

test('a key opens its own grant; each of two keys does', () => {
  const [first, second, other] = [newKey(), newKey(), newKey()];
  const keys = new GrantKeys({ grants: [grant('ci', [first.stored, second.stored]), grant('app', [other.stored])] });
  expect(keys.required).toBe(true);
  expect(keys.verify(first.key)).toBe('ci');
  expect(keys.verify(second.key)).toBe('ci');
  expect(keys.verify(other.key)).toBe('app');
});

test('wrong secrets, unknown ids, stored forms and other texts open nothing', () => {
  const held = newKey();
  const keys = new GrantKeys({ grants: [grant('ci', [held.stored])] });
  const stranger = newKey();
  const crossed = `swb_${held.id}_${stranger.key.slice(-43)}`;
  for (const text of [stranger.key, crossed, held.stored, held.id, '', 'ci', held.key.slice(0, -1)]) {
    expect(keys.verify(text)).toBeUndefined();
  }
});

test('an expired grant opens nothing from the very millisecond on', () => {
  let now = 999;
  const held = newKey();
  const keys = new GrantKeys({ grants: [grant('ci', [held.stored], 1_000)] }, () => now);
  expect(keys.verify(held.key)).toBe('ci');
  expect(keys.isValid('ci')).toBe(true);
  now = 1_000;
  expect(keys.verify(held.key)).toBeUndefined();
  expect(keys.isValid('ci')).toBe(false);
  expect(keys.isValid('nobody')).toBe(false);
});

test('a new configuration takes effect as a whole, and tells who lost a key', () => {
  const [stays, goes, rotated, added, fresh] = [newKey(), newKey(), newKey(), newKey(), newKey()];
  const keys = new GrantKeys({
    grants: [
      grant('stays', [stays.stored]),
      grant('goes', [goes.stored]),
      grant('rotated', [rotated.stored]),
      grant('grows', [added.stored]),
    ],
  });
  const version = keys.version;
  const lost = keys.replace({
    grants: [
      grant('stays', [stays.stored]),
      grant('rotated', [fresh.stored]),
      grant('grows', [added.stored, newKey().stored]),
    ],
  });
  expect([...lost].sort()).toEqual(['goes', 'rotated']);
  expect(keys.version).not.toBe(version);
  expect(keys.verify(stays.key)).toBe('stays');
  expect(keys.verify(added.key)).toBe('grows');
  expect(keys.verify(fresh.key)).toBe('rotated');
  expect(keys.verify(rotated.key)).toBeUndefined();
  expect(keys.verify(goes.key)).toBeUndefined();
});

test('a configuration that cannot be leaves the old one in force', () => {
  const held = newKey();
  const keys = new GrantKeys({ grants: [grant('ci', [held.stored])] });
  for (const bad of [
    [grant('local', [newKey().stored])],
    [grant('x', ['swb_in_the_clear'])],
    [grant('x', [held.stored]), grant('y', [held.stored])],
    [grant('x', []), grant('x', [])],
  ]) {
    expect(() => keys.replace({ grants: bad })).toThrow(expect.objectContaining({ code: 'SWB_CONFIG' }));
  }
  expect(keys.verify(held.key)).toBe('ci');
});

test('revoking the last grant does not open the gateway to everybody', () => {
  const keys = new GrantKeys({ grants: [grant('ci', [newKey().stored])] });
  expect([...keys.replace({ grants: [] })]).toEqual(['ci']);
  expect(keys.required).toBe(true);
  expect(new GrantKeys({ grants: [] }).required).toBe(false);
});

test('keys are asked for where there are none yet, from the start and from a new configuration on', () => {
  expect(new GrantKeys({ grants: [], keysRequired: true }).required).toBe(true);
  const keys = new GrantKeys({ grants: [], keysRequired: false });
  keys.replace({ grants: [], keysRequired: true });
  expect(keys.required).toBe(true);
  keys.replace({ grants: [], keysRequired: false });
  expect(keys.required).toBe(true);
});
