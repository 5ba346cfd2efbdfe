/**
 * The pages with their commands, and a reader who runs them in a fresh clone as they are printed. The word behind `sh` says
 * what a block is:
 *
 * - none: each line, or the whole script where it defines something, is run. `swb_…` and `apr_…` stand for the key and the
 *   approval of the line before.
 * - `start`: how to begin; `npm ci` is what this copy already has behind it.
 * - `operator`: for a machine with systemd, Docker or Kubernetes; `operations.test.ts` checks what can be checked without.
 * - `scripts`: scripts of package.json that take minutes; each is asked for its help with the printed options.
 * @module
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { until } from '../e2e/until.ts';
import { type Block, blocksOf } from './blocks.ts';
import { Clone, type Ran } from './clone.ts';

const ROOT = join(import.meta.dirname, '../..');
export const read = (page: string): string => readFileSync(join(ROOT, page), 'utf8');
export const PAGES = [
  'README.md',
  'CONTRIBUTING.md',
  'SECURITY.md',
  'examples/policy/README.md',
  ...readdirSync(join(ROOT, 'docs'), { recursive: true })
    .map((name) => `docs/${String(name)}`)
    .filter((name) => name.endsWith('.md')),
];
export const shell = (page: string, kind: string): Block[] =>
  blocksOf(read(page)).filter((block) => block.language === 'sh' && block.kind === kind);
export const linesOf = ({ text }: Block): string[] => text.split('\n').filter((line) => line.trim() !== '');

/** Commands that serve until they are stopped. */
const SERVES = /^(npm start|.*agent-switchboard serve\b|npx agent-switchboard$)/;
/** Documented exit codes other than 0. The agent servers of `servers.json` are not started for every page. */
const CODES: readonly [command: RegExp, codes: readonly number[]][] = [
  [/ lock( --check)?$/, [3]],
  [/ policy init\b/, [0, 3]],
  [/ policy explain everything__get-sum '\{"a":101/, [5]],
];

export const GUIDES = PAGES.filter((page) => page.startsWith('docs/guides/'));

const clones: Clone[] = [];

/** For the end of every test. */
export async function removeClones(): Promise<void> {
  for (const clone of clones.splice(0)) await clone.remove();
}

/** A clone that {@link removeClones} removes. */
export async function freshClone(options?: { commandsHere?: boolean }): Promise<Clone> {
  const clone = await Clone.make(options);
  clones.push(clone);
  return clone;
}

/** Runs the commands of one page in a clone of their own, in the order of the page. */
export class Reader {
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
      await this.#clone.stopAt(7300);
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

  /**
   * Makes the call that policies/team.json lets a person approve until it waits, or has been refused: the first uses up the approval
   * in force, and the gateway may not have read the new grant yet.
   */
  async #waitingApproval(): Promise<void> {
    if (this.teamKey === '') return;
    let reply = '';
    await until(
      async () => {
        reply = await this.#callTinyImage();
        const pending = /SWB_APPROVAL_PENDING.*?(apr_[\w-]{22})/s.exec(reply)?.[1];
        this.#approval = pending ?? this.#approval;
        return pending !== undefined || reply.includes('SWB_APPROVAL_DENIED');
      },
      () => `a call that waits for its approval; the last one was answered: ${reply}`,
    );
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

/** One for the commands of a page that changes no code. */
export async function cloneOf(page: string): Promise<Clone> {
  const clone = await freshClone({ commandsHere: true });
  // What the page tells its reader to save.
  for (const { kind, about, text } of blocksOf(read(page))) {
    if (kind === 'policy' && about !== '') clone.write(about, text);
    if (kind === 'cases') clone.write('policies/team.cases.json', text);
  }
  return clone;
}
