import { describe } from 'vitest';
import { stateStoreCases } from './cases.ts';
import { MemoryStore } from './memory-store.ts';

describe('MemoryStore', () => {
  stateStoreCases(async (limits) => new MemoryStore(limits));
});
