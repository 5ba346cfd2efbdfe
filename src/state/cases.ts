/**
 * What every implementation of the state does. The tests of each call this with a way to open one, and with a way to
 * open several replicas of one state where it can be shared.
 * @module
 */
import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import type { Log } from '../core/log.ts';
import { EVENT_LIMITS, type JsonValue, type KeyValue, type State, type StateLimits } from './state.ts';
import { counterCases } from './testing/counter-cases.ts';
import { use } from './testing/uses.ts';

export type OpenState = (options?: Partial<StateLimits> & { log?: Log }) => Promise<State>;

export function stateCases(open: OpenState): void {
  const openKv = async (limits?: Partial<StateLimits>): Promise<KeyValue> => (await open(limits)).kv;

  describe('keys and values', () => {
    it('give back what was set, and nothing for what was not', async () => {
      const kv = await openKv();
      await kv.set('servers', 'a', { url: 'http://a', list: [1, null, true] });
      expect(await kv.get('servers', 'a')).toEqual({ url: 'http://a', list: [1, null, true] });
      expect(await kv.get('servers', 'b')).toBeUndefined();
      expect(await kv.get('other', 'a')).toBeUndefined();
    });

    it('are replaced and deleted', async () => {
      const kv = await openKv();
      await kv.set('servers', 'a', 1);
      await kv.set('servers', 'a', 2);
      expect(await kv.get('servers', 'a')).toBe(2);
      expect(await kv.delete('servers', 'a')).toBe(true);
      expect(await kv.delete('servers', 'a')).toBe(false);
      expect(await kv.entries('servers')).toEqual([]);
    });

    it('are listed in the order keys were first set, also keys that look like numbers', async () => {
      const kv = await openKv();
      for (const key of ['b', '10', 'a', '2']) await kv.set('n', key, key);
      await kv.set('n', 'b', 'again');
      expect(await kv.entries('n')).toEqual([
        ['b', 'again'],
        ['10', '10'],
        ['a', 'a'],
        ['2', '2'],
      ]);
    });

    it('are listed by the beginning of their keys', async () => {
      const kv = await openKv();
      for (const key of ['a:1', 'b:1', 'a:2', 'A:3', '%']) await kv.set('n', key, 0);
      expect((await kv.entries('n', 'a:')).map(([key]) => key)).toEqual(['a:1', 'a:2']);
      expect(await kv.entries('n', '%:')).toEqual([]);
    });

    it('are not shared with callers: changing what went in or came out changes nothing', async () => {
      const kv = await openKv();
      const value: { list: JsonValue[] } = { list: [1] };
      await kv.set('n', 'k', value);
      value.list.push(2);
      const out = (await kv.get('n', 'k')) as { list: JsonValue[] };
      out.list.push(3);
      for (const [, listed] of await kv.entries('n')) (listed as { list: JsonValue[] }).list.push(4);
      expect(await kv.get('n', 'k')).toEqual({ list: [1] });
    });

    it('hold any key and any JSON value', async () => {
      const kv = await openKv();
      await kv.set('n', '__proto__', { polluted: true });
      expect(await kv.get('n', '__proto__')).toEqual({ polluted: true });
      expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
      const key = fc.oneof(fc.string(), fc.string({ unit: 'binary' }), fc.constantFrom('\0', 'a\0b', '\ud800', '"'));
      const pairs = fc.uniqueArray(fc.tuple(key, fc.jsonValue()), { selector: ([each]) => each, maxLength: 5 });
      await fc.assert(
        fc.asyncProperty(fc.stringMatching(/^[a-z]{1,8}$/), pairs, async (namespace, entries) => {
          for (const [each, value] of entries) await kv.set(namespace, each, value as JsonValue);
          for (const [each, value] of entries) {
            expect(await kv.get(namespace, each)).toEqual(JSON.parse(JSON.stringify(value)));
          }
        }),
        { numRuns: 20 },
      );
    });

    it('lose none of many changes made at once', async () => {
      const kv = await openKv();
      await Promise.all(Array.from({ length: 25 }, (_, i) => kv.set('n', `k${i}`, i)));
      expect(await kv.entries('n')).toHaveLength(25);
    });

    it('over the limits are refused, alone, and what was there stays', async () => {
      const kv = await openKv({ maxNamespaceBytes: 400, maxValueBytes: 100 });
      await expect(kv.set('n', 'k', 'x'.repeat(100))).rejects.toMatchObject({ code: 'SWB_STATE' });
      await expect(kv.set('n', 'k'.repeat(2000), 1)).rejects.toMatchObject({ code: 'SWB_STATE' });
      for (let i = 0; i < 3; i++) await kv.set('n', `k${i}`, 'x'.repeat(90));
      const together = await Promise.allSettled([
        kv.set('n', 'k3', 'x'.repeat(90)),
        kv.set('other', 'k', 'x'.repeat(90)),
        kv.set('n', 'k4', 'x'.repeat(90)),
      ]);
      expect(together.map(({ status }) => status)).toEqual(['rejected', 'fulfilled', 'rejected']);
      expect(together[0]).toMatchObject({ reason: { code: 'SWB_STATE' } });
      expect(await kv.entries('n')).toHaveLength(3);
      expect(await kv.entries('other')).toHaveLength(1);
    });

    it('refuse namespaces that are no plain names', async () => {
      const kv = await openKv();
      for (const namespace of ['', '..', 'a/b', 'A', 'a.json']) {
        await expect(kv.get(namespace, 'k')).rejects.toMatchObject({ code: 'SWB_STATE' });
        await expect(kv.set(namespace, 'k', 1)).rejects.toMatchObject({ code: 'SWB_STATE' });
        await expect(kv.take(namespace, 'k')).rejects.toMatchObject({ code: 'SWB_STATE' });
      }
    });

    it('expire, and make room for the next one of their key', async () => {
      const kv = await openKv({ maxNamespaceBytes: 300, maxValueBytes: 100 });
      vi.useFakeTimers({ toFake: ['Date'] });
      try {
        for (const key of ['a', 'b']) await kv.set('n', key, 'x'.repeat(90), 1_000);
        await kv.set('n', 'stays', 1);
        vi.setSystemTime(Date.now() + 999);
        expect(await kv.setIfAbsent('n', 'a', 2)).toBe(false);
        expect(await kv.entries('n')).toHaveLength(3);
        vi.setSystemTime(Date.now() + 1);
        expect(await kv.get('n', 'a')).toBeUndefined();
        expect(await kv.take('n', 'b')).toBeUndefined();
        expect(await kv.setIfAbsent('n', 'a', 'y'.repeat(90))).toBe(true);
        expect(await kv.setIfAbsent('n', 'a', 3)).toBe(false);
        expect((await kv.entries('n')).map(([key]) => key)).toEqual(['stays', 'a']);
      } finally {
        vi.useRealTimers();
      }
    });

    it('are set if absent for one caller, and taken by one caller, of all who try at once', async () => {
      const kv = await openKv();
      const set = await Promise.all(Array.from({ length: 20 }, (_, i) => kv.setIfAbsent('n', 'k', i)));
      expect(set.filter(Boolean)).toHaveLength(1);
      const value = set.indexOf(true);
      const took = await Promise.all(Array.from({ length: 20 }, () => kv.take('n', 'k')));
      expect(took.filter((each) => each !== undefined)).toEqual([value]);
      await kv.set('n', 'k', null);
      expect(await kv.take('n', 'k')).toBeNull();
    });
  });

  describe('counters', () => {
    counterCases(async (options) => (await open(options)).counters);
  });

  describe('the event log', () => {
    it('gives the events of a topic after an id, in order', async () => {
      const { events } = await open();
      const first = await events.append('t', { n: 1 });
      await events.append('other', { n: 0 });
      await events.append('t', { n: 2 });
      const last = await events.append('t', { n: 3 });
      const after = await events.read('t', first);
      expect(after.events.map(({ event }) => event)).toEqual([{ n: 2 }, { n: 3 }]);
      expect(after.events.at(-1)?.id).toBe(last);
      expect(after.complete).toBe(true);
      expect((await events.read('t', 0)).events).toHaveLength(3);
      expect(await events.read('t', last)).toEqual({ events: [], complete: true });
      expect(await events.read('none', 0)).toEqual({ events: [], complete: true });
    });

    it('keeps the newest of a topic, and says when events after an id may be missing', async () => {
      const { events } = await open();
      const first = await events.append('t', 'first');
      await events.append('quiet', 'kept');
      for (let i = 0; i < EVENT_LIMITS.perTopic; i++) await events.append('t', i);
      const { events: kept, complete } = await events.read('t', first);
      expect(kept).toHaveLength(EVENT_LIMITS.perTopic);
      expect(complete).toBe(false);
      expect((await events.read('t', kept[0]?.id ?? 0)).complete).toBe(true);
      expect((await events.read('quiet', 0)).events).toHaveLength(1);
    });
  });

  describe('the bus', () => {
    it('brings messages to the subscribers of their topic, in order, with the replica they are from', async () => {
      const { bus, replica } = await open();
      const seen: unknown[] = [];
      bus.subscribe('t', () => {
        throw new Error('bad listener');
      });
      const stop = bus.subscribe('t', (message, from) => void seen.push([message, from]));
      bus.subscribe('other', (message) => void seen.push(message));
      for (const n of [1, 2, 3]) bus.publish('t', { n });
      await vi.waitFor(() => expect(seen).toEqual([1, 2, 3].map((n) => [{ n }, replica])));
      stop();
      bus.publish('t', { n: 4 });
      bus.publish('other', 'end');
      await vi.waitFor(() => expect(seen).toContain('end'));
      expect(seen).toHaveLength(4);
    });
  });

  it('a secret is made once and is another one for every name', async () => {
    const state = await open();
    const [one, again, other] = await Promise.all([state.secret('a'), state.secret('a'), state.secret('b')]);
    expect(one).toHaveLength(32);
    expect(again).toEqual(one);
    expect(other).not.toEqual(one);
  });
}

/** `openTwo` opens two replicas of one state. */
export function replicaCases(openTwo: () => Promise<[State, State]>): void {
  describe('two replicas of one state', () => {
    it('see and keep what the other one writes', async () => {
      const [one, other] = await openTwo();
      expect(one.replica).not.toBe(other.replica);
      await one.kv.set('servers', 'a', 1);
      await other.kv.set('servers', 'b', 2);
      expect(await one.kv.get('servers', 'b')).toBe(2);
      await Promise.all(
        Array.from({ length: 10 }, (_, i) => (i % 2 === 0 ? one : other).kv.set('servers', `k${i}`, i)),
      );
      expect(await one.kv.entries('servers')).toHaveLength(12);
      expect(await other.kv.entries('servers')).toHaveLength(12);
      expect(await one.secret('s')).toEqual(await other.secret('s'));
    });

    it('take an entry once, and set one that is absent once, whichever comes first', async () => {
      const [one, other] = await openTwo();
      for (let i = 0; i < 20; i++) {
        const set = await Promise.all([one.kv.setIfAbsent('n', `k${i}`, 1), other.kv.setIfAbsent('n', `k${i}`, 1)]);
        expect(set.filter(Boolean)).toHaveLength(1);
        const took = await Promise.all([other.kv.delete('n', `k${i}`), one.kv.delete('n', `k${i}`)]);
        expect(took.filter(Boolean)).toHaveLength(1);
      }
    });

    it.each([false, true])('count together, never more than max (sliding: %s)', async (sliding) => {
      const [one, other] = await openTwo();
      const now = Date.UTC(2026, 10, 20, 12);
      const both = Array.from({ length: 60 }, (_, i) => (i % 2 === 0 ? one : other).counters);
      const results = await Promise.all(both.map((each) => each.reserve([use({ max: 25, sliding })], now)));
      const reserved = results.filter((result) => result.granted);
      expect(reserved).toHaveLength(25);
      for (const reservation of reserved.slice(0, 10)) reservation.rollback();
      // A call does not wait until what it gives back has arrived.
      await vi.waitFor(async () => {
        const { counts } = await other.counters.read([use({ max: 25, sliding })], now);
        expect(counts[0]?.used).toBe(15);
      });
    });

    it('read each other’s events and messages', async () => {
      const [one, other] = await openTwo();
      const seen: unknown[] = [];
      other.bus.subscribe('t', (message, from) => void seen.push([message, from]));
      one.bus.publish('t', 'hello');
      await vi.waitFor(() => expect(seen).toEqual([['hello', one.replica]]), 5_000);
      const id = await one.events.append('e', 1);
      await one.events.append('e', 2);
      expect((await other.events.read('e', id)).events.map(({ event }) => event)).toEqual([2]);
    });
  });
}
