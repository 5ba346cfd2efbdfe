/**
 * Numbers of JSON that no double-precision number holds (`9007199254740993`, `1e400`, more digits than a double has) as they
 * are spelled. What is parsed has doubles in their place; rules judge these.
 * @module
 */
import { isHeldByDouble } from '../../core/decimal.ts';

/** A number as it is spelled. It has no own members, so that no path leads into it. */
export class ExactNumber {
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  /** As JSON has it. */
  get text(): string {
    return this.#text;
  }

  /** What a reader of double-precision numbers makes of it; may be infinite. */
  get double(): number {
    return Number(this.#text);
  }

  /** JSON of JavaScript has no number for it. */
  toJSON(): string {
    return this.#text;
  }
}

/** A number's text as a value: a number where a double holds it. */
export const exactNumber = (text: string): number | ExactNumber =>
  mayExceedDouble(text) && !isHeldByDouble(text) ? new ExactNumber(text) : Number(text);

const LONG = /[\d.]{16}|[eE][+-]?\d{3}/;

/** Whether a JSON text may have a number that no double holds: those have 16 digits or more, or a large exponent. */
export const mayExceedDouble = (text: string): boolean => LONG.test(text);

/** The value with doubles instead of exact numbers; the very value where it has none. */
export function withDoubles(value: unknown): unknown {
  if (value instanceof ExactNumber) return value.double;
  if (typeof value !== 'object' || value === null) return value;
  let copy: Record<string, unknown> | undefined;
  for (const [name, member] of Object.entries(value)) {
    const doubled = withDoubles(member);
    if (doubled === member) continue;
    copy ??= (Array.isArray(value) ? [...value] : { ...value }) as Record<string, unknown>;
    Object.defineProperty(copy, name, { value: doubled, writable: true, enumerable: true, configurable: true });
  }
  return copy ?? value;
}
