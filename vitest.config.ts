import { defineConfig } from 'vitest/config';

/** Tests that start no server and no process. */
const UNITS = [
  'src/{auth,config,core,federation,observe,policy,relay,state,tools,wire}/**/*.test.ts',
  'hooks/**/*.test.ts',
];
/** Of these, tests that measure memory: what other files leave behind would count. */
const MEASURED = [
  'src/federation/members/server-memory.test.ts',
  'src/federation/views/restricted-view.memory.test.ts',
  'src/wire/chunk-buffer.test.ts',
];
const ELSEWHERE = ['**/node_modules/**', 'dist/**'];

export default defineConfig({
  test: {
    // Real servers start inside many tests; two cores are what CI has.
    testTimeout: 30_000,
    hookTimeout: 60_000,
    teardownTimeout: 20_000,
    globalSetup: ['test/setup/no-orphans.ts'],
    pool: 'forks',
    maxWorkers: 2,
    projects: [
      {
        extends: true,
        test: {
          // Files share a process and the modules in it: loading them took longer than most of these tests do.
          name: 'units',
          include: UNITS,
          exclude: [...ELSEWHERE, ...MEASURED],
          isolate: false,
        },
      },
      {
        extends: true,
        test: {
          name: 'servers',
          include: ['src/*.test.ts', 'src/{cli,endpoint}/**/*.test.ts', '{adapters,test}/**/*.test.ts', ...MEASURED],
          exclude: ELSEWHERE,
        },
      },
    ],
  },
});
