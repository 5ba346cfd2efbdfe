import { expect, it } from 'vitest';
import { readableId, slug } from './names.ts';

it.each(['echo', 'the-id', 'Über_Agent.v2', '046b5dc7-2108-582c-9c6c-31d556d138f0', '店'])(
  'an id that is plain is its own name: %s',
  (id) => expect(readableId(id)).toBe(id),
);

it.each([
  ['two\nlines', /^two-lines-[\da-f]{8}$/],
  ['..', /^[\da-f]{8}$/],
  ['a/b', /^a-b-[\da-f]{8}$/],
  [' - forged (agent)', /^forged-agent-[\da-f]{8}$/],
  ['x'.repeat(5_000), /^x{60}-[\da-f]{8}$/],
  ['\u202etxet', /^txet-[\da-f]{8}$/],
])('an id that would forge a line or a path has a readable name: %j', (id, name) => {
  expect(readableId(id)).toMatch(name);
  expect(readableId(id)).toBe(readableId(id));
});

it('two ids that read alike have two names', () => {
  expect(readableId('a b')).not.toBe(readableId('a  b'));
});

it('a name for people becomes words', () => {
  expect(slug('Second echo!')).toBe('second-echo');
  expect(slug('…')).toBe('');
});
