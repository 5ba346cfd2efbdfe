import { describe, expect, it } from 'vitest';
import { GrantKeys } from './grant-keys.ts';
import { newKey } from './key.ts';
import { SeenKeys } from './seen-keys.ts';

describe('the key of a connection', () => {
  const { key } = newKey();

  it('is known again over the same connection, and over no other', () => {
    const seen = new SeenKeys();
    const connection = {};
    expect(seen.grantOf(connection, key)).toBeUndefined();
    seen.remember(connection, key, 'ci');
    expect(seen.grantOf(connection, key)).toBe('ci');
    expect(seen.grantOf(connection, key)).toBe('ci');
    expect(seen.grantOf({}, key)).toBeUndefined();
  });

  it('is no other text, however alike', () => {
    const seen = new SeenKeys();
    const connection = {};
    seen.remember(connection, key, 'ci');
    const [first, last] = [key.charCodeAt(0), key.charCodeAt(key.length - 1)];
    const others = [
      ...['', key.slice(0, -1), key.slice(1), `${key}x`, `${key}é`, ` ${key}`, `${key}\0`, newKey().key],
      // The same in the lower eight bits of each character.
      String.fromCharCode(first | 0x100) + key.slice(1),
      key.slice(0, -1) + String.fromCharCode(last | 0x100),
      `${key.slice(0, -2)}é`,
      `${key.slice(0, -1)}\0`,
    ];
    for (const other of others) expect(seen.grantOf(connection, other), other).toBeUndefined();
    expect(seen.grantOf(connection, key)).toBe('ci');
  });
});

describe('keys of grants over one connection', () => {
  const grant = (name: string, keys: readonly string[], expiresAt?: number) => ({ name, keys, expiresAt });

  it('open each its own grant, in whatever order they come, as behind a proxy', () => {
    const [first, second, stranger] = [newKey(), newKey(), newKey()];
    const keys = new GrantKeys({ grants: [grant('ci', [first.stored]), grant('app', [second.stored])] });
    const connection = {};
    for (let round = 0; round < 3; round++) {
      expect(keys.verify(first.key, connection)).toBe('ci');
      expect(keys.verify(first.key, connection)).toBe('ci');
      expect(keys.verify(stranger.key, connection)).toBeUndefined();
      expect(keys.verify(`swb_${first.id}_${second.key.slice(-43)}`, connection)).toBeUndefined();
      expect(keys.verify(second.key, connection)).toBe('app');
    }
  });

  it('open nothing once their grant has expired, lost them, or is gone', () => {
    let now = 0;
    const [expires, rotated, goes, fresh] = [newKey(), newKey(), newKey(), newKey()];
    const keys = new GrantKeys(
      {
        grants: [grant('a', [expires.stored], 1_000), grant('b', [rotated.stored]), grant('c', [goes.stored])],
      },
      () => now,
    );
    const connections = [{}, {}, {}];
    const opened = (): unknown[] =>
      [expires, rotated, goes].map(({ key }, i) => keys.verify(key, connections[i] as object));
    expect(opened()).toEqual(['a', 'b', 'c']);
    now = 1_000;
    expect(opened()).toEqual([undefined, 'b', 'c']);
    keys.replace({ grants: [grant('a', [expires.stored], 5_000), grant('b', [fresh.stored])] });
    expect(opened()).toEqual(['a', undefined, undefined]);
  });
});
