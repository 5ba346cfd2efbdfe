import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { newKey } from '../../auth/key.ts';
import { TOKEN_OPERATOR } from '../../auth/operators/operator.ts';
import { callRoutes } from './calls.ts';
import type { AdminReply } from './route.ts';
import type { PageSources } from './sources.ts';

const POLICY = { version: '1', default: 'deny', tools: { echo: {} } };

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'switchboard-documents-'));
  await writeFile(join(folder, 'ci.json'), `// of the builds\n${JSON.stringify(POLICY)}`);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function documentAt(place: string): Promise<object> {
  const { stored } = newKey();
  const text = JSON.stringify({
    servers: { docs: { url: 'http://docs.example/mcp', policy: POLICY } },
    gateway: {
      grants: {
        ci: { key: stored, policy: 'ci.json' },
        away: { key: stored, policy: 'none.json' },
        bare: { key: stored },
      },
    },
  });
  const configuration = { file: join(folder, 'servers.json'), read: async () => text };
  const routes = callRoutes({ configuration } as unknown as PageSources);
  const route = routes.find(({ path }) => path === '/admin/api/policy/document');
  if (!route) throw new Error('There is no such route.');
  const query = new URLSearchParams({ place });
  const request = {
    params: {},
    query,
    headers: {},
    operator: TOKEN_OPERATOR,
    url: '',
    from: undefined,
    body: Buffer.alloc(0),
  };
  return ((await route.handle(request)) as Extract<AdminReply, { json: object }>).json;
}

it.each([
  ['server:docs', { document: POLICY, file: null }],
  ['grant:ci', { document: POLICY, file: 'ci.json' }],
  ['grant:away', { document: null, file: 'none.json' }],
  ['grant:bare', { document: null, file: null }],
  ['gateway', { document: null, file: null }],
])('the document of %s is shown as it is written, from its file where it has one', async (place, found) => {
  expect(await documentAt(place)).toEqual(found);
});

it.each([['grant:nobody'], ['grant:constructor'], ['server:nowhere'], ['elsewhere']])(
  'a document of %s is none that can be shown',
  async (place) => {
    await expect(documentAt(place)).rejects.toThrow(/no grant|no server/);
  },
);
