/** A file server on the official SDK reads many spellings of one URI as the same file: rules about the file hold for all of them. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type OwnGateway, startReadyGateway } from '../e2e/gateway.ts';
import { grant } from '../policy/grants.ts';
import { isRefused, legacy, modern } from './talk.ts';

const FILE = 'file:///docs/secret.txt';
const RULES = {
  hide: { hide: [`files+${FILE}`] },
  'hide of another spelling': { hide: ['files+FILE:///docs//%73ecret.txt'] },
  'hide by a glob': { hide: ['files+file:///docs/sec*'] },
  'action deny': { resources: { [`files+${FILE}`]: { action: 'deny' } } },
  'deny_if eq': {
    resources: { '*': { deny_if: [{ conditions: [{ path: 'args.uri', op: 'eq', value: FILE }] }] } },
  },
  'deny_if regex': {
    resources: { '*': { deny_if: [{ conditions: [{ path: 'args.uri', op: 'regex', value: '/secret\\.txt$' }] }] } },
  },
  'deny by default': { default: 'deny', resources: { 'files+file:///docs/open*': {} } },
};
const grants = Object.fromEntries(
  Object.entries(RULES).map(([name, policy], index) => [
    name,
    { id: `g${index}`, ...grant({ policy: { version: '1', default: 'allow', ...policy } }) },
  ]),
);

const SPELLINGS = [
  FILE,
  'file:///docs/%73ecret.txt',
  'file:///docs/secret%2Etxt',
  'file:///docs/secret%2etxt',
  'file:///docs//secret.txt',
  'file:////docs/secret.txt',
  'FILE:///docs/secret.txt',
  'file://localhost/docs/secret.txt',
  'file:/docs/secret.txt',
  'file:///docs/./secret.txt',
  'file:///docs/open/../secret.txt',
  'file:///docs/open/%2e%2E/%73ecret.txt',
  // Two places: by the URL Standard, and in a file system.
  'file:///docs/open//../secret.txt',
  'file:///docs/se%E2%80%8Bcret.txt',
  'file:///docs/secret.txt?open',
  'file:///docs/secret.txt#open',
];

let folder: string;
let gateway: OwnGateway;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'files-'));
  mkdirSync(join(folder, 'docs'));
  writeFileSync(join(folder, 'docs', 'secret.txt'), 'TOP-SECRET');
  writeFileSync(join(folder, 'docs', 'open file.txt'), 'OPEN-TEXT');
  const script = new URL('../fixtures/mcp/stdio-files.ts', import.meta.url).pathname;
  gateway = await startReadyGateway({
    servers: { files: { command: process.execPath, args: [script], env: { FILES: folder } } },
    gateway: { grants: Object.fromEntries(Object.values(grants).map(({ id, entry }) => [id, entry])) },
  });
});
afterAll(async () => {
  await gateway?.close();
  rmSync(folder, { recursive: true, force: true });
});

describe.each(Object.keys(RULES))('a file that is forbidden by %s', (name) => {
  const key = grants[name];

  it('is read, subscribed to and completed by no spelling, at either endpoint, in either era', async () => {
    for (const [url, labels] of [
      [gateway.url, ['', 'files+']],
      [gateway.at('/servers/files/mcp'), ['']],
    ] as const) {
      const session = await legacy(url, key);
      for (const uri of labels.flatMap((label) => SPELLINGS.map((spelled) => label + spelled))) {
        for (const reply of [
          await session.request('resources/read', { uri }),
          await modern(url, key, 'resources/read', { uri }),
          await session.request('resources/subscribe', { uri }),
        ]) {
          expect(isRefused(reply), `${uri}: ${reply.text}`).toBe(true);
          expect(reply.text).not.toContain('TOP-SECRET');
        }
        // A completion has no arguments: conditions about them do not apply.
        if (name.startsWith('deny_if')) continue;
        const params = { ref: { type: 'ref/resource', uri }, argument: { name: 'path', value: '' } };
        for (const reply of [
          await session.request('completion/complete', params),
          await modern(url, key, 'completion/complete', params),
        ]) {
          expect(reply.text, uri).not.toContain('COMPLETED');
        }
      }
    }
  });

  it('leaves its neighbour readable', async () => {
    for (const [url, uri] of [
      [gateway.url, 'files+file:///docs/open%20file.txt'],
      [gateway.at('/servers/files/mcp'), 'file:///docs/open%20file.txt'],
    ] as const) {
      expect((await modern(url, key, 'resources/read', { uri })).text).toContain('OPEN-TEXT');
    }
  });
});

it('a hidden file and one that is not there are completed with one answer, at either endpoint, in either era', async () => {
  const key = grants.hide;
  for (const [url, label] of [
    [gateway.url, 'files+'],
    [gateway.at('/servers/files/mcp'), ''],
  ] as const) {
    const session = await legacy(url, key);
    const answers = async (uri: string): Promise<string[]> => {
      const params = { ref: { type: 'ref/resource', uri }, argument: { name: 'path', value: '' } };
      const replies = [
        await session.request('completion/complete', params, 7),
        await modern(url, key, 'completion/complete', params),
      ];
      return replies.map(({ text }) => text.replaceAll(uri, 'X'));
    };
    expect(await answers(`${label}${FILE}`)).toEqual(await answers(`${label}other:///docs/none.txt`));
  }
});
