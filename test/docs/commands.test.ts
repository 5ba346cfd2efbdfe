/** Every command that the pages print runs as printed in a fresh clone; those of the guides in `guides.test.ts`. */
import { afterEach, describe, expect, it } from 'vitest';
import { run } from '../../src/cli/program.ts';
import { testIo } from '../../src/cli/testing/io.ts';
import { type Block, blocksOf } from './blocks.ts';
import { cloneOf, freshClone, GUIDES, linesOf, PAGES, Reader, read, removeClones, shell } from './pages.ts';

afterEach(removeClones);

describe('the commands', () => {
  it('of README.md run', async () => {
    const clone = await cloneOf('README.md');
    const reader = new Reader(clone);
    await clone.start('npm run agents', 4111, 2024);
    const [start, ...others] = [...shell('README.md', 'start'), ...shell('README.md', '')];
    expect(linesOf(start as Block)).toEqual(['npm ci', 'npm start']);
    await clone.start('npm start', 7300);
    for (const block of others) await reader.follow(block);
  }, 600_000);

  it('are those that npx and npm find in a clone', async () => {
    const clone = await freshClone();
    clone.withNpm();
    const { version } = JSON.parse(read('package.json')) as { version: string };
    expect(await clone.run('npx agent-switchboard --version')).toMatchObject({ code: 0, stdout: `${version}\n` });
    expect(await clone.run('npm run --silent switchboard -- --version')).toMatchObject({ stdout: `${version}\n` });
    const node = JSON.parse(read('node_modules/node/package.json')) as { version: string };
    expect(await clone.run('npx node --version')).toMatchObject({ code: 0, stdout: `v${node.version}\n` });
  }, 600_000);

  it('of docs/policy.md run', async () => {
    const reader = new Reader(await cloneOf('docs/policy.md'));
    for (const block of shell('docs/policy.md', '')) {
      await reader.follow(block);
      if (block.text.includes('grants add team')) reader.actAsTeam();
    }
  }, 600_000);

  it.each(['docs/configuration.md', 'examples/policy/README.md'])(
    'of %s run',
    async (page) => {
      const reader = new Reader(await cloneOf(page));
      for (const block of shell(page, '')) await reader.follow(block);
    },
    600_000,
  );

  it('stand in no page this test does not know', () => {
    const known = ['README.md', 'docs/policy.md', 'docs/configuration.md', 'examples/policy/README.md', ...GUIDES];
    expect(PAGES.filter((page) => shell(page, '').length > 0 && !known.includes(page))).toEqual([]);
    const kinds = PAGES.flatMap((page) => blocksOf(read(page)).filter(({ language }) => language === 'sh'));
    expect(kinds.filter(({ kind }) => !['', 'start', 'scripts', 'operator'].includes(kind))).toEqual([]);
  });
});

it('scripts that the pages print exist and take the options', async () => {
  const clone = await cloneOf('CONTRIBUTING.md');
  const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
  const printed = PAGES.flatMap((page) => shell(page, 'scripts').flatMap(linesOf)).map((line) =>
    line.replace(/ *#.*/, ''),
  );
  /** By script, every option that a page gives it: the script is started once, for all of them. */
  const options = new Map<string, Set<string>>();
  for (const line of new Set(printed)) {
    if (line === 'npm ci' || line === 'bash .ci/run') continue;
    const [, name = '', given] = /^npm (?:run )?([\w:-]+)(?: -- (.*))?$/.exec(line) ?? [];
    expect(Object.keys(scripts), line).toContain(name);
    if (given !== undefined) options.set(name, (options.get(name) ?? new Set()).add(given));
  }
  expect(options.size).toBeGreaterThan(4);
  for (const [name, given] of options) {
    const line = `npm run ${name} -- ${[...given].join(' ')} --help`;
    const { code, stdout, stderr } = await clone.run(line);
    expect(code, `${line}\n${stdout}${stderr}`).toBe(0);
  }
}, 600_000);

describe('commands in the text', () => {
  const help = async (words: readonly string[]): Promise<string> => {
    const io = testIo();
    expect(await run([...words, '--help'], io), words.join(' ')).toBe(0);
    return io.stdout.text;
  };
  /** `policy init --server everything`: the words that name a command, and the options. */
  async function check(line: string): Promise<void> {
    const [first = '', second = ''] = line.split(' ');
    const groups = ['policy', 'grants', 'approvals', 'connections'];
    const seconds = groups.includes(first) ? second.split('|').filter((word) => /^[a-z]+$/.test(word)) : [];
    const text = (
      await Promise.all(
        (seconds.length > 0 ? seconds : [undefined]).map((each) => help(each ? [first, each] : [first])),
      )
    ).join('\n');
    for (const [flag] of line.matchAll(/--[a-z-]+/g)) expect(text, line).toContain(flag);
  }

  it('exist with their options, and are called by the name of the package', async () => {
    for (const page of PAGES) {
      const text = read(page).replaceAll(/^```[\s\S]*?^```/gm, '');
      for (const [, code = ''] of text.matchAll(/`([^`]+)`/g)) {
        expect(code, page).not.toMatch(/^(npx )?switchboard [a-z]/);
        const [, line] = /^npx (?:-y )?agent-switchboard ([a-z].*)$/.exec(code) ?? [];
        if (line !== undefined) await check(line);
      }
    }
  });

  it('of the synopsis in docs/configuration.md exist with their options', async () => {
    const usage = blocksOf(read('docs/configuration.md')).find(({ kind }) => kind === 'usage');
    const [bare, ...usages] = linesOf(usage as Block);
    expect(bare).toMatch(/^switchboard {2,}serve, without saying so$/);
    const lines = usages.map((line) => line.replace(/^switchboard /, ''));
    expect(lines.length).toBeGreaterThan(10);
    for (const line of lines) await check(line);
    const listed = await help([]);
    for (const [, name = ''] of listed.matchAll(/^ {2}([a-z]+)(?: \[| <| {2})/gm)) {
      if (name !== 'help')
        expect(
          lines.some((line) => line.startsWith(name)),
          name,
        ).toBe(true);
    }
  });
});
