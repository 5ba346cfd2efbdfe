/**
 * The fenced blocks of a Markdown page, with what stands behind their language.
 * @module
 */

export interface Block {
  language: string;
  /** The first word behind the language: what the block is. */
  kind: string;
  /** The rest of the line. */
  about: string;
  text: string;
  /** Of the opening fence, from 1. */
  line: number;
}

export function blocksOf(markdown: string): Block[] {
  const blocks: Block[] = [];
  let open: Block | undefined;
  for (const [index, line] of markdown.split('\n').entries()) {
    if (!line.startsWith('```')) {
      if (open) open.text += `${line}\n`;
    } else if (open) {
      blocks.push(open);
      open = undefined;
    } else {
      const [, language = '', kind = '', about = ''] = /^```(\S*) ?(\S*) ?(.*)$/.exec(line) ?? [];
      open = { language, kind, about, text: '', line: index + 1 };
    }
  }
  return blocks;
}
