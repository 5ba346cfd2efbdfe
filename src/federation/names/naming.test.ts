import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { exposedName, nameCandidates } from './naming.ts';

const CLIENT_SAFE = /^[a-zA-Z0-9_-]{1,64}$/;

/** Names as servers may be called, and originals of any kind, ordinary ones often enough to be near-collisions. */
const serverName = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/);
const original = fc.oneof(
  fc.stringMatching(/^[a-c_.]{0,4}$/),
  fc.string({ unit: 'binary', maxLength: 100 }),
  fc.stringMatching(/^[A-Za-z0-9_./-]{1,128}$/),
);
const server = fc.oneof(fc.constantFrom('a', 'b', 'a_', 'a__b', 'a.b', 'a-b'), serverName);

describe('exposedName', () => {
  it('puts the namespace in front of a plain name', () => {
    expect(exposedName('github', 'github', 'create_issue')).toBe('github__create_issue');
    expect(exposedName('gh', 'github', 'create_issue')).toBe('gh__create_issue');
    expect(exposedName(false, 'github', 'create_issue')).toBe('create_issue');
  });

  it('replaces characters that clients refuse by _ and adds a hash', () => {
    expect(exposedName('s', 's', 'admin.list')).toMatch(/^s__admin_list_[a-z2-7]{8}$/);
    expect(exposedName('s', 's', 'admin.list')).not.toBe(exposedName('s', 's', 'admin/list'));
    expect(exposedName(false, 's', 'größe')).toMatch(/^gr__e_[a-z2-7]{8}$/);
  });

  it('cuts what is longer than 64 characters and keeps what is not', () => {
    const fits = 'x'.repeat(64 - 's__'.length);
    expect(exposedName('s', 's', fits)).toBe(`s__${fits}`);
    const cut = exposedName('s', 's', `${fits}x`);
    expect(cut).toHaveLength(64);
    expect(cut).toMatch(/^s__x+_[a-z2-7]{8}$/);
  });

  it('never changes from one release to the next', () => {
    expect(exposedName('weather', 'weather', 'admin.tools.list')).toBe('weather__admin_tools_list_b3ssvpto');
  });

  it('is accepted by every client, whatever the original', () => {
    fc.assert(
      fc.property(server, fc.oneof(serverName, fc.constant<false>(false)), original, (name, namespace, tool) => {
        expect(exposedName(namespace, name, tool)).toMatch(CLIENT_SAFE);
        for (const candidate of nameCandidates(namespace, name, tool)) expect(candidate).toMatch(CLIENT_SAFE);
      }),
    );
  });

  it('gives no two originals one name', () => {
    const pair = fc.tuple(server, original);
    fc.assert(
      fc.property(pair, pair, ([serverA, toolA], [serverB, toolB]) => {
        fc.pre(serverA !== serverB || toolA !== toolB);
        expect(exposedName(serverA, serverA, toolA)).not.toBe(exposedName(serverB, serverB, toolB));
      }),
      { numRuns: 2_000 },
    );
  });

  it('gives different names where namespace and name would join to the same text', () => {
    const names = [
      exposedName('a', 'a', 'b__c'),
      exposedName('a__b', 'a__b', 'c'),
      exposedName('a', 'a', '_c'),
      exposedName('a_', 'a_', 'c'),
    ];
    expect(new Set(names).size).toBe(names.length);
  });
});
