import { describe } from 'vitest';
import { stateCases } from '../cases.ts';
import { recorder } from '../testing/uses.ts';
import { memoryState } from './memory-state.ts';

describe('state in memory', () => {
  stateCases(async ({ log = recorder(), ...limits } = {}) => memoryState(log, limits));
});
