/**
 * The list of fuzzers.
 * @module
 */
import type { Fuzzer } from '../fuzzer.ts';
import { FRAMING_FUZZERS } from './framing.ts';
import { JSON_FUZZERS } from './json.ts';
import { policy } from './policy.ts';
import { spellings } from './spellings.ts';

export const FUZZERS: readonly Fuzzer[] = [...JSON_FUZZERS, ...FRAMING_FUZZERS, spellings, policy];
