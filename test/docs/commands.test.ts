/**
 * Every command that the pages print runs as printed in a fresh clone. In guides, `ts <file>` is a file to write and
 * `diff <file>` a change to make. The word behind `sh` says what a block is:
 *
 * - none: each line, or the whole script where it defines something, is run. `swb_…` and `apr_…` stand for the key and the
 *   approval of the line before.
 * - `start`: how to begin; `npm ci` is what this copy already has behind it.
 * - `scripts`: scripts of package.json that take minutes; each is asked for its help with the printed options.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { run } from '../../src/cli/program.ts';
import { testIo } from '../../src/cli/testing/io.ts';
import { type Block, blocksOf } from './blocks.ts';
import { Clone, type Ran } from './clone.ts';

const ROOT = join(import.meta.dirname, '../..');
const read = (page: string): string => readFileSync(join(ROOT, page), 'utf8');
const PAGES = [
  'README.md',
  'CONTRIBUTING.md',
  'SECURITY.md',
  'examples/policy/README.md',
  ...readdirSync(join(ROOT, 'docs'), { recursive: true })
    .map((name) => `docs/${String(name)}`)
    .filter((name) => name.endsWith('.md')),
];
const shell = (page: string, kind: string): Block[] =>
  blocksOf(read(page)).filter((block) => block.language === 'sh' && block.kind === kind);
const linesOf = ({ text }: Block): string[] => text.split('\n').filter((line) => line.trim() !== '');

/** Commands that serve until they are stopped. */
const SERVES = /^(npm start|.*agent-switchboard serve\b)/;
/** Documented exit codes other than 0. The agent servers of `servers.json` are not started for every page. */
const CODES: readonly [command: RegExp, codes: readonly number[]][] = [
  [/ lock( --check)?$/, [3]],
  [/ policy init\b/, [0, 3]],
  [/ policy explain everything__get-sum '\{"a":101/, [5]],
];

const clones: Clone[] = [];
afterEach(async () => {
  for (const clone of clones.splice(0)) await clone.remove();
});

/** Runs the commands of one page in a clone of their own, in the order of the page. */
class Reader {
  readonly #clone: Clone;
  #key = '';
  #approval = '';

  constructor(clone: Clone) {
    this.#clone = clone;
  }

  async follow(block: Block): Promise<void> {
    // A definition is for the lines that follow it.
    const isScript = /^\w+\(\)|^\w+=\S*$|\\$/m.test(block.text);
    for (const command of isScript ? [block.text] : linesOf(block)) await this.#run(command);
  }

  async #run(printed: string): Promise<void> {
    if (printed === 'npm ci') return;
    if (SERVES.test(printed)) {
      await this.#clone.stop();
      await this.#clone.start(printed, 7300);
      return;
    }
    if (printed.includes('apr_…')) await this.#waitingApproval();
    const command = printed.replaceAll('swb_…', this.#key).replaceAll('apr_…', this.#approval);
    const ran = await this.#clone.run(command);
    const codes = CODES.find(([pattern]) => pattern.test(printed.replace(/ *#.*/, '')))?.[1] ?? [0];
    expect(codes, `${printed}\n${ran.stdout}${ran.stderr}`).toContain(ran.code);
    this.#remember(ran);
  }

  #remember({ stdout }: Ran): void {
    this.#key = /swb_[\w-]+_[\w-]+/.exec(stdout)?.[0] ?? this.#key;
    this.#approval = /apr_[\w-]{22}/.exec(stdout)?.[0] ?? this.#approval;
  }

  /** Makes the call that policies/team.json lets a person approve: once for the approval in force, once for the next. */
  async #waitingApproval(): Promise<void> {
    if (this.teamKey === '') return;
    for (let attempt = 0; attempt < 2; attempt++) {
      const reply = await this.#callTinyImage();
      const pending = /SWB_APPROVAL_PENDING.*?(apr_[\w-]{22})/s.exec(reply)?.[1];
      if (pending === undefined) continue;
      this.#approval = pending;
      return;
    }
  }

  teamKey = '';

  async #callTinyImage(): Promise<string> {
    const version = '2026-07-28';
    const name = 'everything__get-tiny-image';
    const response = await fetch(`http://127.0.0.1:${this.#clone.port(7300)}/mcp`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${this.teamKey}`,
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        'mcp-protocol-version': version,
        'mcp-method': 'tools/call',
        'mcp-name': name,
      },
      body: JSON.stringify({
        jsonrpc: '2.0',
        id: 1,
        method: 'tools/call',
        params: {
          name,
          arguments: {},
          _meta: {
            'io.modelcontextprotocol/protocolVersion': version,
            'io.modelcontextprotocol/clientCapabilities': {},
          },
        },
      }),
    });
    return response.text();
  }

  /** The key of the last grant is the one approvals are made with. */
  actAsTeam(): void {
    this.teamKey = this.#key;
  }
}

async function cloneOf(page: string): Promise<Clone> {
  const clone = await Clone.make();
  clones.push(clone);
  // What the page tells its reader to save.
  for (const { kind, about, text } of blocksOf(read(page))) {
    if (kind === 'policy' && about !== '') clone.write(about, text);
    if (kind === 'cases') clone.write('policies/team.cases.json', text);
  }
  return clone;
}

describe('the commands', () => {
  it('of README.md run', async () => {
    const clone = await cloneOf('README.md');
    const reader = new Reader(clone);
    await clone.start('npm run agents', 4111, 2024);
    const [start, ...others] = [...shell('README.md', 'start'), ...shell('README.md', '')];
    expect(linesOf(start as Block)).toEqual(['npm ci', 'npm start']);
    await clone.start('npm start', 7300);
    for (const block of others) await reader.follow(block);
  }, 240_000);

  it('of docs/policy.md run', async () => {
    const reader = new Reader(await cloneOf('docs/policy.md'));
    for (const block of shell('docs/policy.md', '')) {
      await reader.follow(block);
      if (block.text.includes('grants add team')) reader.actAsTeam();
    }
  }, 240_000);

  it.each(['docs/configuration.md', 'examples/policy/README.md'])(
    'of %s run',
    async (page) => {
      const reader = new Reader(await cloneOf(page));
      for (const block of shell(page, '')) await reader.follow(block);
    },
    240_000,
  );

  const GUIDES = PAGES.filter((page) => page.startsWith('docs/guides/'));

  it.each(GUIDES)(
    'of %s run, with the files and changes it shows',
    async (page) => {
      const clone = await Clone.make();
      clones.push(clone);
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

  it('stand in no page this test does not know', () => {
    const known = ['README.md', 'docs/policy.md', 'docs/configuration.md', 'examples/policy/README.md', ...GUIDES];
    expect(PAGES.filter((page) => shell(page, '').length > 0 && !known.includes(page))).toEqual([]);
    const kinds = PAGES.flatMap((page) => blocksOf(read(page)).filter(({ language }) => language === 'sh'));
    expect(kinds.filter(({ kind }) => !['', 'start', 'scripts'].includes(kind))).toEqual([]);
  });
});

it('scripts that the pages print exist and take the options', async () => {
  const clone = await cloneOf('CONTRIBUTING.md');
  const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
  const printed = PAGES.flatMap((page) => shell(page, 'scripts').flatMap(linesOf)).map((line) =>
    line.replace(/ *#.*/, ''),
  );
  for (const line of new Set(printed)) {
    if (line === 'npm ci' || line === 'bash .ci/run') continue;
    const [, name = ''] = /^npm (?:run )?([\w:-]+)/.exec(line) ?? [];
    expect(Object.keys(scripts), line).toContain(name);
    if (!line.includes(' -- ')) continue;
    const { code, stdout, stderr } = await clone.run(`${line} --help`);
    expect(code, `${line}\n${stdout}${stderr}`).toBe(0);
  }
}, 120_000);

describe('commands in the text', () => {
  const help = async (words: readonly string[]): Promise<string> => {
    const io = testIo();
    expect(await run([...words, '--help'], io), words.join(' ')).toBe(0);
    return io.stdout.text;
  };
  /** `policy init --server everything`: the words that name a command, and the options. */
  async function check(line: string): Promise<void> {
    const [first = '', second = ''] = line.split(' ');
    const groups = ['policy', 'grants', 'approvals'];
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
    const lines = linesOf(usage as Block).map((line) => line.replace(/^switchboard /, ''));
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
