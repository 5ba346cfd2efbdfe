/**
 * The shared behaviour suite as a vitest suite.
 * @module
 */
import { afterAll, beforeAll, describe, it } from 'vitest';
import { adapterCases } from '../cases.ts';
import type { CaseSetup, OptionalCases } from './setup.ts';

/** Registers {@link adapterCases} with vitest. */
export const behavesLikeAnUpstream = (name: string, setup: () => Promise<CaseSetup>, optional?: OptionalCases): void =>
  adapterCases({ describe, it, before: beforeAll, after: afterAll }, name, setup, optional);
