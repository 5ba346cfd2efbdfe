/**
 * Every guide is followed in a fresh clone: `ts <file>` is a file to write, `diff <file>` a change to make, and commands are run. Types and
 * tests alone are run once, in a clone with what all guides make: most of their time goes into starting. So what a guide imports must be
 * there without the others too, what it generates is looked at in its own clone, and no two guides touch one file.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { type Block, blocksOf } from './blocks.ts';
import type { Clone } from './clone.ts';
import { freshClone, GUIDES, linesOf, Reader, read, removeClones } from './pages.ts';

const TYPES = 'npm run types';
const TESTS = 'npx vitest run ';
const isShared = (command: string): boolean => command === TYPES || command.startsWith(TESTS);

/** What `GENERATE` writes, which `GENERATED_TEST` reads. */
const GENERATED = ['servers.schema.json', 'policy.schema.json'];
const GENERATE = 'npx node src/schema-file.ts';
const GENERATED_TEST = 'src/schema-file.test.ts';

afterEach(removeClones);

/** Does what the page shows, but for commands that `isRun` leaves out. */
async function followed(page: string, clone: Clone, isRun: (command: string) => boolean): Promise<void> {
  const reader = new Reader(clone);
  for (const block of blocksOf(read(page))) {
    if (block.language === 'diff') clone.change(block.kind, block.text);
    else if (block.language === 'ts') clone.write(block.kind, block.text);
    else if (block.kind === 'policy') clone.write(block.about, block.text);
    else if (block.language === 'sh') await reader.follow({ ...block, text: linesOf(block).filter(isRun).join('\n') });
  }
}

const commandsOf = (page: string): string[] =>
  blocksOf(read(page)).flatMap((block: Block) => (block.language === 'sh' ? linesOf(block) : []));

/** Files that the code of a guide imports, from the root of the repository. */
const importsOf = (page: string): string[] =>
  blocksOf(read(page))
    .filter(({ language, kind }) => ['ts', 'diff'].includes(language) && kind.endsWith('.ts'))
    .flatMap(({ kind, text }) => {
      const imports = text.matchAll(/^(?!-).*(?:from |import\()'(\.[^']+)'/gm);
      return [...imports].map(([, file = '']) => join(dirname(kind), file));
    });

/** Files that a guide writes or changes by hand, from the root of the repository. */
const filesOf = (page: string): string[] => [
  ...new Set(
    blocksOf(read(page)).flatMap(({ language, kind, about }) => {
      if (language === 'ts' || language === 'diff') return [kind];
      return kind === 'policy' ? [about] : [];
    }),
  ),
];

const filesIn = (clone: Clone, end: string): string[] =>
  ['src', 'adapters'].flatMap((folder) =>
    readdirSync(join(clone.folder, folder), { recursive: true })
      .map((name) => join(folder, String(name)))
      .filter((file) => file.endsWith(end)),
  );

/** The test whose snapshots the file holds. */
const testOf = (snapshots: string): string => join(dirname(dirname(snapshots)), basename(snapshots, '.snap'));

async function succeeds(clone: Clone, command: string): Promise<void> {
  const { code, stdout, stderr } = await clone.run(command);
  expect(code, `${command}\n${stdout}${stderr}`).toBe(0);
}

describe('the guides', () => {
  it('touch no file of one another', () => {
    const files = GUIDES.flatMap(filesOf);
    expect(files.filter((file, at) => files.indexOf(file) !== at)).toEqual([]);
  });

  it.each(GUIDES)(
    '%s: its commands run with the files and changes it shows, its imports are there, and what it generates is up to date',
    async (page) => {
      const clone = await freshClone();
      await followed(page, clone, (command) => !isShared(command));
      expect(importsOf(page).filter((file) => !existsSync(join(clone.folder, file)))).toEqual([]);
      if (!commandsOf(page).some((command) => command.includes(GENERATED_TEST))) return;
      const generated = (): string[] => GENERATED.map((file) => readFileSync(join(clone.folder, file), 'utf8'));
      const before = generated();
      await succeeds(clone, GENERATE);
      expect(generated()).toEqual(before);
    },
    600_000,
  );

  it('have tests that pass and types that fit, with the files and changes of all', async () => {
    expect(GUIDES.filter((page) => commandsOf(page).includes(TYPES)).length).toBeGreaterThan(1);
    const clone = await freshClone();
    for (const page of GUIDES)
      await followed(page, clone, (command) => /^(cp|mv) /.test(command) || command === GENERATE);

    const lines = GUIDES.flatMap(commandsOf).filter((command) => command.startsWith(TESTS));
    expect(lines.length).toBeGreaterThan(1);
    const files = filesIn(clone, '.test.ts');
    const words = lines.map((line) => line.slice(TESTS.length).split(' '));
    const namedBy = (filters: readonly string[]): string[] =>
      files.filter((file) => filters.some((filter) => file.includes(filter)));
    for (const filter of words.flat().filter((word) => !word.startsWith('-')))
      expect(namedBy([filter])).not.toEqual([]);
    // `--update` is for the snapshots of those that say so: no other file may have one that differs.
    const updated = new Set(namedBy(words.filter((each) => each.includes('--update')).flat()));
    const others = (): Record<string, string> =>
      Object.fromEntries(
        [
          ...files.filter((file) => !updated.has(file)),
          ...filesIn(clone, '.snap').filter((file) => !updated.has(testOf(file))),
        ].map((file) => [file, readFileSync(join(clone.folder, file), 'utf8')]),
      );
    const before = others();
    await succeeds(clone, TESTS + [...new Set(words.flat())].join(' '));
    expect(others()).toEqual(before);

    await succeeds(clone, TYPES);
  }, 600_000);
});
