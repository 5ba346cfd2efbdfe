/**
 * Field types that several sections share.
 * @module
 */
import { z } from 'zod';

/** Timers of the platform end at 24.8 days; no wait of ours needs more than one. */
export const DAY_MS = 86_400_000;

export const milliseconds = () => z.int().min(1).max(DAY_MS);

export const count = (min: number, max: number) => z.int().min(min).max(max);

export const text = () => z.string().min(1);

/** A text for which `problem` has no sentence part that follows "a text that". */
export const checked = (problem: (value: string) => string | undefined) =>
  text().superRefine((value, context) => {
    const found = problem(value);
    if (found !== undefined) context.addIssue({ code: 'custom', message: `found a text that ${found}` });
  });

/** Globs of names. */
export const globs = () => z.array(z.string().min(1).max(256)).max(1000);

/** Patterns of texts, each with words for what it allows. */
export const PATTERNS = {
  token: { regex: /^[A-Za-z0-9\-._~+/]+=*$/, words: '16 to 4096 letters, digits and -._~+/' },
  argument: { regex: /^args(\.[^.]+)+$/, words: 'a path such as args.amount or args.items.0.price' },
  redacted: { regex: /^(args|result)(\.[^.]+)+$/, words: 'a path that begins with args. or result.' },
  duration: { regex: /^\d{1,6}[smh]$/, words: 'a whole number and s, m or h, from 1s to 24h' },
  hookName: {
    regex: /^[A-Za-z0-9][A-Za-z0-9._-]*$/,
    words: '1 to 64 letters, digits, "-", "_" and ".", beginning with a letter or digit',
  },
  date: {
    regex: /^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}:\d{2}))?$/,
    words: 'a date such as 2027-01-31 or 2027-01-31T18:00:00Z',
  },
} as const;

/** Bearer tokens (RFC 6750). */
export const token = () => z.string().min(16).max(4096).regex(PATTERNS.token.regex);
