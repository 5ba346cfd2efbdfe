import { defineConfig } from 'vitest/config';
import { COMPILE_CACHE } from './test/fixtures/compile-cache.ts';
import { LongestFirst } from './test/setup/longest-first.ts';
import { SYSTEM } from './test/setup/system-tests.ts';

/** Tests that start no server and no process. */
const UNITS = [
  'src/{auth,config,core,federation,observe,policy,relay,state,tools,wire}/**/*.test.ts',
  'hooks/**/*.test.ts',
];
/** Tests that start servers and processes. */
const SERVERS = ['src/*.test.ts', 'src/{cli,endpoint}/**/*.test.ts', '{adapters,test}/**/*.test.ts'];
/** Tests with a process of their own: they measure its memory or CPU time, to which other files add. */
const ALONE = [
  'adapters/mcp/session/frames.test.ts',
  'adapters/shared/decoding.test.ts',
  'adapters/shared/sanitize.test.ts',
  'src/cli/policy-init/classify.test.ts',
  'src/federation/members/server-memory.test.ts',
  'src/federation/views/restricted-view.memory.test.ts',
  'src/wire/chunk-buffer.test.ts',
  'test/attacks/hostile-lists.test.ts',
  'test/attacks/policy-exhaustion.test.ts',
];
const ELSEWHERE = ['**/node_modules/**', 'dist/**'];

export default defineConfig({
  test: {
    // Real servers start inside many tests; two cores are what CI has.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    teardownTimeout: 20_000,
    globalSetup: ['test/setup/no-orphans.ts'],
    // Of the processes that tests start: every one would compile all it loads.
    env: COMPILE_CACHE,
    setupFiles: ['test/setup/patience.ts'],
    expect: { poll: { timeout: 50_000, interval: 10 } },
    pool: 'forks',
    maxWorkers: 2,
    sequence: { sequencer: LongestFirst },
    // Files share a process and the modules in it: starting one and loading them took longer than many files do.
    projects: [
      { extends: true, test: { name: 'alone', include: ALONE, exclude: ELSEWHERE } },
      { extends: true, test: { name: 'system', include: SYSTEM, exclude: ELSEWHERE, isolate: false } },
      {
        extends: true,
        test: { name: 'servers', include: SERVERS, exclude: [...ELSEWHERE, ...ALONE, ...SYSTEM], isolate: false },
      },
      {
        extends: true,
        test: { name: 'units', include: UNITS, exclude: [...ELSEWHERE, ...ALONE, ...SYSTEM], isolate: false },
      },
    ],
  },
});
