/**
 * Runs a fuzzer guided by its corpus: half of the inputs are made anew, half are changed copies of inputs that reached a
 * behaviour of their own. An input that reaches a new one joins the pool for the next round.
 *
 * A run is a series of rounds of the same number of inputs, each with a seed of its own: what seed, corpus and round give is
 * always the same.
 * @module
 */
import fc from 'fast-check';

/** What a fuzzer is fed with. `picks` are choices beside the text: where chunks are cut, what is edited. */
export interface Input {
  text: string;
  picks: number[];
}

export interface Fuzzer {
  readonly name: string;
  /** Inputs from nothing. */
  readonly fresh: fc.Arbitrary<Input>;
  /** Changed copies of known inputs. Default: the text is changed, with these words besides its own. */
  readonly words?: readonly string[];
  near?(known: readonly Input[]): fc.Arbitrary<Input>;
  /** Behaviours that the recorded inputs reach at least. */
  readonly behaviours: number;
  /** Throws when something is wrong. Returns what kind of behaviour the input has reached. */
  check(input: Input): string | Promise<string>;
  close?(): Promise<void>;
}

export interface Finding {
  input: Input;
  error: unknown;
  seed: number;
  round: number;
}

export interface FuzzResult {
  runs: number;
  /** The shortest input of each behaviour. */
  pool: ReadonlyMap<string, Input>;
  finding: Finding | undefined;
}

export interface FuzzOptions {
  seed: number;
  ms: number;
  corpus: readonly Input[];
  /** Called with an input that reached a new behaviour, or one that was reached before in fewer characters. */
  onNew?(behaviour: string, input: Input): void;
}

const ROUND = 250;
const SHRINK_MS = 20_000;
/** Inputs are short: whatever takes longer is not bounded as it should be. */
const MAX_CPU_US = 5_000_000;

export async function runFuzzer(fuzzer: Fuzzer, options: FuzzOptions): Promise<FuzzResult> {
  const { seed, ms, corpus, onNew } = options;
  const pool = new Map<string, Input>();
  let runs = 0;
  const check = async (input: Input): Promise<void> => {
    runs++;
    const started = process.cpuUsage();
    const behaviour = await fuzzer.check(input);
    const { user, system } = process.cpuUsage(started);
    if (user + system > MAX_CPU_US) throw new Error(`It took ${(user + system) / 1_000} ms.`);
    const known = pool.get(behaviour);
    if (known && sizeOf(known) <= sizeOf(input)) return;
    pool.set(behaviour, input);
    onNew?.(behaviour, input);
  };
  const until = performance.now() + ms;
  for (const input of corpus) {
    try {
      await check(input);
    } catch (error) {
      return { runs, pool, finding: { input, error, seed, round: -1 } };
    }
  }
  for (let round = 0; round === 0 || performance.now() < until; round++) {
    const known = [...pool.values()];
    const near = known.length === 0 ? fuzzer.fresh : (fuzzer.near?.(known) ?? changed(known, fuzzer.words ?? []));
    const details = await fc.check(fc.asyncProperty(fc.oneof(fuzzer.fresh, near), check), {
      seed: seed + round,
      numRuns: ROUND,
      // Shrinking ends some time, too.
      interruptAfterTimeLimit: Math.max(0, until - performance.now()) + SHRINK_MS,
    });
    const [input] = details.counterexample ?? [];
    if (details.failed && input) {
      return { runs, pool, finding: { input, error: details.errorInstance, seed, round } };
    }
  }
  return { runs, pool, finding: undefined };
}

export const sizeOf = (input: Input): number => JSON.stringify(input).length;

const EDITS = ['insert', 'insert', 'replace', 'delete', 'repeat', 'join'] as const;

/** Copies of known inputs with some places edited: a word put in, a piece taken out, doubled, or taken from another input. */
export function changed(known: readonly Input[], words: readonly string[]): fc.Arbitrary<Input> {
  const which = fc.nat({ max: known.length - 1 });
  const edit = fc.record({
    kind: fc.constantFrom(...EDITS),
    at: fc.nat({ max: 4_096 }),
    length: fc.nat({ max: 12 }),
    word: fc.oneof(
      fc.constantFrom(...(words.length === 0 ? [''] : words)),
      fc.string({ unit: 'binary-ascii', minLength: 1, maxLength: 2 }),
    ),
    other: which,
  });
  const picks = fc.array(fc.nat({ max: 4_096 }), { maxLength: 6 });
  return fc
    .tuple(which, fc.array(edit, { minLength: 1, maxLength: 4 }), fc.option(picks))
    .map(([index, edits, newPicks]) => {
      const base = known[index] as Input;
      let { text } = base;
      for (const { kind, at, length, word, other } of edits) {
        const start = at % (text.length + 1);
        const piece = text.slice(start, start + length);
        const rest = text.slice(start + length);
        if (kind === 'insert') text = text.slice(0, start) + word + text.slice(start);
        else if (kind === 'replace') text = text.slice(0, start) + word + rest;
        else if (kind === 'delete') text = text.slice(0, start) + rest;
        else if (kind === 'repeat') text = text.slice(0, start) + piece.repeat(1 + (at % 40)) + text.slice(start);
        else text = text.slice(0, start) + (known[other] as Input).text.slice(at % 97);
      }
      return { text: text.slice(0, MAX_TEXT), picks: newPicks ?? base.picks };
    });
}

const MAX_TEXT = 20_000;
