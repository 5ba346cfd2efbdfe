/**
 * Runs `pattern` and `patternProperties` in time linear in the text. The expressions are a server's, and a single `(a+)+$`
 * in JavaScript's engine would block every caller of the gateway, so RE2 runs them.
 * @module
 */
import { RE2JS } from 're2js';
import type { Budget } from './budget.ts';

const MAX_PATTERN_CHARS = 1_000;
/** Sum of the upper bounds in `{n,m}`: compiling takes some microseconds for each. */
const MAX_REPEATS = 2_000;
/** Instructions of all expressions of one schema. */
const MAX_PROGRAM = 20_000;

interface Tester {
  test(text: string): boolean;
  /** Ajv distinguishes expressions by their text. */
  toString(): string;
}

/** The type of ajv's option `code.regExp`. */
interface Engine {
  (pattern: string): Tester;
  code: string;
}

/** The expressions of one schema. */
export class Patterns {
  readonly engine: Engine;
  readonly #budget: Budget;
  readonly #known = new Map<string, Tester | undefined>();
  #program = 0;

  constructor(budget: Budget) {
    this.#budget = budget;
    this.engine = Object.assign(
      (pattern: string): Tester => {
        const tester = this.find(pattern);
        if (tester === undefined) throw new Error(`the expression ${JSON.stringify(pattern)} cannot be run safely`);
        return tester;
      },
      // Only code that is written to a file needs the name.
      { code: 'patterns' },
    );
  }

  /** Undefined for what RE2 cannot run (lookahead, back-references) and for what is too large. */
  find(pattern: string): Tester | undefined {
    if (this.#known.has(pattern)) return this.#known.get(pattern);
    const tester = this.#compile(pattern);
    this.#known.set(pattern, tester);
    return tester;
  }

  #compile(pattern: string): Tester | undefined {
    if (pattern.length > MAX_PATTERN_CHARS || repeatsIn(pattern) > MAX_REPEATS) return undefined;
    if (this.#program > MAX_PROGRAM) return undefined;
    try {
      const expression = RE2JS.compile(RE2JS.translateRegExp(pattern));
      const size = expression.programSize();
      this.#program += size;
      const budget = this.#budget;
      return {
        test(text) {
          budget.spend(1 + (size * text.length) / 4);
          return expression.test(text);
        },
        toString: () => pattern,
      };
    } catch {
      return undefined;
    }
  }
}

function repeatsIn(pattern: string): number {
  let repeats = 0;
  for (const [, least = '', most] of pattern.matchAll(/\{(\d{1,9})(?:,(\d{0,9}))?\}/g)) {
    repeats += Number(most ? most : least);
  }
  return repeats;
}
