/**
 * Every guide is followed in a fresh clone: `ts <file>` is a file to write, `diff <file>` a change to make, and commands are run. Types
 * alone are checked once, in a clone with what all guides make; so what a guide imports must be there without the others too.
 */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { type Block, blocksOf } from './blocks.ts';
import type { Clone } from './clone.ts';
import { freshClone, GUIDES, linesOf, Reader, read, removeClones } from './pages.ts';

/** Reads the whole repository, for half a minute of a processor: run once, with what all guides make of it. */
const TYPES = 'npm run types';

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

describe('the commands', () => {
  it.each(GUIDES)(
    'of %s run, with the files and changes it shows, and its imports are there',
    async (page) => {
      const clone = await freshClone();
      await followed(page, clone, (command) => command !== TYPES);
      expect(importsOf(page).filter((file) => !existsSync(join(clone.folder, file)))).toEqual([]);
    },
    600_000,
  );

  it('of the guides that check types do so with the files and changes of all', async () => {
    const pages = GUIDES.filter((page) => commandsOf(page).includes(TYPES));
    expect(pages.length).toBeGreaterThan(1);
    const clone = await freshClone();
    for (const page of GUIDES) await followed(page, clone, (command) => /^(cp|mv) /.test(command));
    const { code, stdout, stderr } = await clone.run(TYPES);
    expect(code, stdout + stderr).toBe(0);
  }, 600_000);
});
