/**
 * What every store does, whatever it keeps things in. Each implementation's test calls this with a way to make one.
 * @module
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { JsonValue, StateLimits, StateStore } from './store.ts';

export function stateStoreCases(make: (limits?: StateLimits) => Promise<StateStore>): void {
  describe('as every store', () => {
    it('gives back what was set, and nothing for what was not', async () => {
      const store = await make();
      await store.set('servers', 'a', { url: 'http://a', list: [1, null, true] });
      expect(await store.get('servers', 'a')).toEqual({ url: 'http://a', list: [1, null, true] });
      expect(await store.get('servers', 'b')).toBeUndefined();
      expect(await store.get('other', 'a')).toBeUndefined();
    });

    it('replaces and deletes', async () => {
      const store = await make();
      await store.set('servers', 'a', 1);
      await store.set('servers', 'a', 2);
      expect(await store.get('servers', 'a')).toBe(2);
      expect(await store.delete('servers', 'a')).toBe(true);
      expect(await store.delete('servers', 'a')).toBe(false);
      expect(await store.entries('servers')).toEqual([]);
    });

    it('lists entries in the order keys were first set, also keys that look like numbers', async () => {
      const store = await make();
      for (const key of ['b', '10', 'a', '2']) await store.set('n', key, key);
      await store.set('n', 'b', 'again');
      expect(await store.entries('n')).toEqual([
        ['b', 'again'],
        ['10', '10'],
        ['a', 'a'],
        ['2', '2'],
      ]);
    });

    it('keeps its own copy: changing what went in or came out changes nothing', async () => {
      const store = await make();
      const value: { list: JsonValue[] } = { list: [1] };
      await store.set('n', 'k', value);
      value.list.push(2);
      const out = (await store.get('n', 'k')) as { list: JsonValue[] };
      out.list.push(3);
      for (const [, listed] of await store.entries('n')) (listed as { list: JsonValue[] }).list.push(4);
      expect(await store.get('n', 'k')).toEqual({ list: [1] });
    });

    it('keeps any key and any JSON value', async () => {
      const store = await make();
      await store.set('n', '__proto__', { polluted: true });
      expect(await store.get('n', '__proto__')).toEqual({ polluted: true });
      expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
      const pairs = fc.uniqueArray(fc.tuple(fc.string(), fc.jsonValue()), { selector: ([key]) => key, maxLength: 5 });
      await fc.assert(
        fc.asyncProperty(fc.stringMatching(/^[a-z]{1,8}$/), pairs, async (namespace, entries) => {
          for (const [key, value] of entries) await store.set(namespace, key, value as JsonValue);
          for (const [key, value] of entries) {
            expect(await store.get(namespace, key)).toEqual(JSON.parse(JSON.stringify(value)));
          }
        }),
        { numRuns: 20 },
      );
    });

    it('does not lose one of many changes made at once', async () => {
      const store = await make();
      await Promise.all(Array.from({ length: 25 }, (_, i) => store.set('n', `k${i}`, i)));
      expect(await store.entries('n')).toHaveLength(25);
    });

    it('refuses what is over its limits and keeps what it had', async () => {
      const store = await make({ maxNamespaceBytes: 400, maxValueBytes: 100 });
      await expect(store.set('n', 'k', 'x'.repeat(100))).rejects.toMatchObject({ code: 'SWB_STATE' });
      await expect(store.set('n', 'k'.repeat(2000), 1)).rejects.toMatchObject({ code: 'SWB_STATE' });
      for (let i = 0; i < 3; i++) await store.set('n', `k${i}`, 'x'.repeat(90));
      await expect(store.set('n', 'k3', 'x'.repeat(90))).rejects.toMatchObject({ code: 'SWB_STATE' });
      await expect(store.set('n', 'k4', 'x'.repeat(90))).rejects.toMatchObject({ code: 'SWB_STATE' });
      expect(await store.entries('n')).toHaveLength(3);
      await store.set('other', 'k', 'x'.repeat(90));
    });

    it('refuses namespaces that are no plain names', async () => {
      const store = await make();
      for (const namespace of ['', '..', 'a/b', 'A', 'a.json']) {
        await expect(store.get(namespace, 'k')).rejects.toMatchObject({ code: 'SWB_STATE' });
        await expect(store.set(namespace, 'k', 1)).rejects.toMatchObject({ code: 'SWB_STATE' });
      }
    });
  });
}
