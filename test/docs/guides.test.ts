/** Every guide is followed in a fresh clone: `ts <file>` is a file to write, `diff <file>` a change to make, and commands are run. */
import { describe, it } from 'vitest';
import { blocksOf } from './blocks.ts';
import { freshClone, GUIDES, Reader, read } from './pages.ts';

describe('the commands', () => {
  it.each(GUIDES)(
    'of %s run, with the files and changes it shows',
    async (page) => {
      const clone = await freshClone();
      const reader = new Reader(clone);
      for (const block of blocksOf(read(page))) {
        if (block.language === 'diff') clone.change(block.kind, block.text);
        else if (block.language === 'ts') clone.write(block.kind, block.text);
        else if (block.kind === 'policy') clone.write(block.about, block.text);
        else if (block.language === 'sh') await reader.follow(block);
      }
    },
    240_000,
  );
});
