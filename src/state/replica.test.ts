import { expect, it } from 'vitest';
import { newReplicaId, routedId, routeOf } from './replica.ts';

it('an id names its replica and is not to be guessed', () => {
  for (let i = 0; i < 100; i++) {
    const replica = newReplicaId();
    const id = routedId(replica);
    expect(id).toMatch(/^[\w-]{8}\.[0-9a-f]{32}$/);
    expect(routeOf(id)).toBe(replica);
    expect(routedId(replica)).not.toBe(id);
  }
});

it('a sealed state names its replica behind its prefix, and other ids name none', () => {
  expect(routeOf('swb1.abcd-_09.payload.mac')).toBe('abcd-_09');
  expect(routeOf('swbu1.abcd-_09.payload.mac')).toBe('abcd-_09');
  for (const id of ['', 'x', '0123456789abcdef0123456789abcdef', 'abc.def', 'swb1.abc.def', 'abcd-_0 .x']) {
    expect(routeOf(id)).toBeUndefined();
  }
});
