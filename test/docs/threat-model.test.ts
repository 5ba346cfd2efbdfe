/** The threat model names a test for every promise, and says what SECURITY.md says. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

const ROOT = join(import.meta.dirname, '../..');
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');
const MODEL = read('docs/threat-model.md');
const SECURITY = read('SECURITY.md');

/** The text below a heading, up to the next one of its level or above. */
function section(page: string, heading: string): string {
  const level = /^#+/.exec(heading)?.[0].length ?? 1;
  const [, rest = ''] = page.split(`\n${heading}\n`);
  return rest.split(new RegExp(`^#{1,${level}} `, 'm'), 1)[0] ?? '';
}

const PROOF = /`((?:test|src|adapters|hooks)\/[\w./-]+\.test\.ts)`: "([^"]+)"/g;
const promised = section(MODEL, '## What is promised');
const rows = promised.split('\n').filter((line) => line.startsWith('| ') && !line.startsWith('| promise |'));
const proofs = [
  ...new Map([...promised.matchAll(PROOF)].map(([, file = '', title = '']) => [`${file}: ${title}`, { file, title }])),
];

/** As a title stands in the source of its test, in whatever quotes. */
const isTitled = (source: string, title: string): boolean =>
  [`'${title}'`, `\`${title}\``, `"${title}"`, `'${title.replaceAll("'", "\\'")}'`].some((quoted) =>
    source.includes(quoted),
  );

describe('the threat model', () => {
  it('names a test for every promise', () => {
    expect(rows.length).toBeGreaterThan(30);
    expect(rows.filter((row) => [...row.matchAll(PROOF)].length === 0)).toEqual([]);
    // What looks like a test and is not written like the others would not be looked for.
    expect(promised.match(/\.test\.ts`/g)).toHaveLength([...promised.matchAll(PROOF)].length);
  });

  it.each(proofs)('is proved by %s', (_, { file, title }) => {
    expect(existsSync(join(ROOT, file))).toBe(true);
    expect(isTitled(read(file), title)).toBe(true);
  });

  it('promises what SECURITY.md does, under the same headings', () => {
    const bullets = [...section(SECURITY, '## What Switchboard defends').matchAll(/^- \*\*(.+?)\.\*\*/gm)];
    const headings = [...promised.matchAll(/^### (.+)$/gm)];
    expect(headings.map(([, heading]) => heading)).toEqual(bullets.map(([, bullet]) => bullet));
  });

  it('leaves out nothing that SECURITY.md does not promise', () => {
    const plain = (text: string): string =>
      text
        .replaceAll(/\]\([^)]+\)/g, ']')
        .replaceAll(/\s+/g, ' ')
        .trim();
    const notPromised = plain(section(MODEL, '## What is not promised'));
    const bullets = section(SECURITY, '## What it does not defend').split(/^- /m).slice(1).map(plain);
    expect(bullets.length).toBeGreaterThan(3);
    expect(bullets.filter((bullet) => !notPromised.includes(bullet))).toEqual([]);
  });
});
