import { createHmac, randomBytes } from 'node:crypto';
import { afterEach, describe, expect, it } from 'vitest';
import { recordingLog } from '../../../adapters/testing/context.ts';
import { removeTemporaryFolders, temporaryFolder } from '../../config/testing/files.ts';
import { openSqliteState } from '../../state/sqlite/sqlite-state.ts';
import type { State } from '../../state/state.ts';
import { canonicalJson } from '../../wire/json/canonical.ts';
import { AuditHasher } from './hash.ts';
import { openAuditHasher } from './key.ts';

afterEach(removeTemporaryFolders);

describe('AuditHasher', () => {
  it('is HMAC-SHA-256 of the canonical text, for keys of every length', () => {
    const args = { b: 'ü€😀', a: [1, { d: 1, c: 2 }] };
    for (const length of [0, 1, 32, 64, 65, 200]) {
      const key = randomBytes(length);
      const hasher = new AuditHasher(key);
      const expected = createHmac('sha256', key).update(canonicalJson(args)).digest('base64url').slice(0, 22);
      expect(hasher.arguments(args)).toEqual({ argKeys: ['a', 'b'], argHash: expected });
      // Nothing of an earlier text is left over.
      hasher.arguments({ long: 'x'.repeat(10_000) });
      expect(hasher.arguments(args).argHash).toBe(expected);
    }
  });

  it('is the same HMAC for short texts and long ones', () => {
    const key = randomBytes(32);
    const hasher = new AuditHasher(key);
    for (let length = 0; length < 400; length += 3) {
      const args = { text: 'y'.repeat(length) };
      const expected = createHmac('sha256', key).update(canonicalJson(args)).digest('base64url').slice(0, 22);
      expect(hasher.arguments(args).argHash, `${length}`).toBe(expected);
    }
  });

  it('gives equal arguments equal hashes, others others, and other keys other hashes', () => {
    const hasher = new AuditHasher(randomBytes(32));
    const of = (args: unknown) => hasher.arguments(args).argHash;
    expect(of({ a: 1, b: { x: 1, y: 2 } })).toBe(of({ b: { y: 2, x: 1 }, a: 1 }));
    expect(of({ a: 1 })).not.toBe(of({ a: '1' }));
    expect(of({})).not.toBe(of({ a: undefined, b: null }));
    expect(of({ pin: 1234 })).not.toBe(new AuditHasher(randomBytes(32)).arguments({ pin: 1234 }).argHash);
    expect(hasher.arguments(undefined)).toEqual({ argKeys: [], argHash: undefined });
    expect(hasher.arguments([1])).toEqual({ argKeys: [], argHash: undefined });
  });

  it('hashes the beginning of large arguments and says so', () => {
    const hasher = new AuditHasher(randomBytes(32));
    const long = 'é'.repeat(70_000);
    const large = hasher.arguments({ a: 1, b: long });
    expect(large.argHash).toMatch(/^~[\w-]{22}$/);
    expect(hasher.arguments({ a: 2, b: long }).argHash).not.toBe(large.argHash);
    expect(hasher.arguments({ a: 1, b: `${long}!` }).argHash).toBe(large.argHash);
    const many = Object.fromEntries(Array.from({ length: 100_000 }, (_, i) => [`k${i}`, 'x']));
    expect(hasher.arguments(many).argKeys).toHaveLength(33);
  });

  it('survives arguments nested without end', () => {
    const deep: unknown = JSON.parse(`{"a":${'['.repeat(50_000)}${']'.repeat(50_000)}}`);
    expect(new AuditHasher(randomBytes(32)).arguments(deep).argHash).toMatch(/^~/);
  });

  it('names a session by what cannot be used as one', () => {
    const hasher = new AuditHasher(randomBytes(32));
    const id = 'f4b0c0de-0000-4000-8000-123456789abc';
    const name = hasher.session(id);
    expect(name).toMatch(/^[\w-]{12}$/);
    expect(hasher.session(id)).toBe(name);
    expect(hasher.session(`${id}2`)).not.toBe(name);
  });
});

describe('openAuditHasher', () => {
  const args = { pin: 1234 };

  it('keeps its key for restarts and for every gateway that shares the state, however they start', async () => {
    const folder = await temporaryFolder();
    const log = recordingLog();
    const states: State[] = [];
    const open = async () => {
      const state = openSqliteState(folder, { log });
      states.push(state);
      return openAuditHasher(state, log);
    };
    const together = await Promise.all([open(), open(), open()]);
    const hashes = [...together, await open()].map((hasher) => hasher.arguments(args).argHash);
    expect(new Set(hashes).size).toBe(1);
    expect(log.lines).toEqual([]);
    for (const state of states) await state.close();
  });

  it('works with a key of its own where the state cannot be written, and says so', async () => {
    const log = recordingLog();
    const closed = openSqliteState(await temporaryFolder(), { log });
    await closed.close();
    const hasher = await openAuditHasher(closed, log);
    expect(hasher.arguments(args).argHash).toMatch(/^[\w-]{22}$/);
    expect(log.lines).toMatchObject([{ level: 'warn', message: expect.stringContaining('cannot be kept') }]);
  });
});
