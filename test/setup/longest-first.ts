/**
 * The order of test files. Vitest begins with what took longest in the run before; a fresh clone had none, and would begin
 * with the longest texts and end with a minute of one worker. So these files come first, whatever is known. Those with a process of their
 * own come last but for the longest: Vitest ends the shared process, with all it has loaded and lent, where the next file is another project's.
 * @module
 */
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** Those that start many processes, compile, or send tens of thousands of requests. */
const LONGEST = [
  'test/library/types.test.ts',
  'test/attacks/policy-exhaustion.test.ts',
  'test/docs/commands.test.ts',
  'test/docs/guides.test.ts',
  'test/package/first-run.test.ts',
  'test/pages/offers.test.ts',
  'test/bench/gateway.test.ts',
  'test/e2e/demo.test.ts',
  'test/pages/desk.test.ts',
  'test/extensions/suite.test.ts',
];

/** Each after the other, so that processes with what they have loaded and lent end as seldom as can be. */
const PROJECTS = ['system', 'servers', 'units', 'alone'];

const rankOf = ({ moduleId, project }: TestSpecification): number => {
  const rank = LONGEST.findIndex((file) => moduleId.endsWith(`/${file}`));
  if (rank !== -1) return rank;
  return LONGEST.length + PROJECTS.indexOf(project.name);
};

export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    return sorted.sort((a, b) => rankOf(a) - rankOf(b));
  }
}
