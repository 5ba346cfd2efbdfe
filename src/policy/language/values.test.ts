import fc from 'fast-check';
import { expect, it } from 'vitest';
import { ExactNumber } from '../../wire/json/exact.ts';
import { parseExact } from '../../wire/json/parse.ts';
import { sameness, samenessWith } from './values.ts';

const texts = fc.constantFrom('', ' ', '5', ' 5 ', '5.0', '0x10', 'NaN', 'Infinity', '1e999', 'true', 'null', 'five');
const value = fc.oneof(
  texts,
  fc.string(),
  fc.jsonValue({ maxDepth: 2 }),
  fc.constantFrom(5, -0, true, false, null, undefined, Number.POSITIVE_INFINITY),
  fc.constantFrom('9007199254740993', '1e999', '0.1000000000000000055').map(parseExact),
);

function outcome(compare: () => boolean | undefined): unknown {
  try {
    return compare();
  } catch (error) {
    return `${error}`;
  }
}

it('a wanted value that is prepared for many comparisons decides each as one alone', () => {
  expect(parseExact('9007199254740993')).toBeInstanceOf(ExactNumber);
  fc.assert(
    fc.property(value, fc.array(value), (wanted, values) => {
      const isSame = samenessWith(wanted);
      for (const each of values) expect(outcome(() => isSame(each))).toEqual(outcome(() => sameness(wanted, each)));
    }),
    { numRuns: 500 },
  );
});
