/** A lock file and agents whose schemas their server works out when it is asked: what is compared first is what stays. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { assistant, endAll, json, type Scripted, serve } from '../../adapters/langgraph/testing/scripted-server.ts';
import { run } from '../../src/cli/program.ts';
import { testIo } from '../../src/cli/testing/io.ts';
import { openGateway } from '../../src/gateway.ts';
import { type Folder, gatewayFolder, type OwnGateway, startGateway } from '../e2e/gateway.ts';
import { modernRequest, send } from '../e2e/raw.ts';

type Json = Record<string, unknown>;

const schema = (members: Json) => ({ input_schema: { type: 'object', properties: members, required: [] } });
const NUMBERS = { a: { type: 'number' }, b: { type: 'number' } };

let server: Scripted;
let folder: Folder & { remove(): void };
/** What the graphs take now, and whether the server answers for the second one. */
let takes: Json = NUMBERS;
let answers = true;
let fails = false;
/** Resolved: schemas are sent. */
let told = Promise.withResolvers<void>();

beforeAll(async () => {
  server = await serve({
    'POST /assistants/search': json([assistant(1), assistant(2)]),
    'GET /assistants/id-1/schemas': async (response, request, body) => {
      await told.promise;
      json(schema(takes))(response, request, body);
    },
    'GET /assistants/id-2/schemas': (response, request, body) => {
      if (answers) json(schema(NUMBERS), fails ? 500 : 200)(response, request, body);
      else response.destroy();
    },
  });
  folder = gatewayFolder({
    servers: { graphs: { kind: 'langgraph', url: server.url } },
    gateway: { lock: 'deny' },
  });
  told.resolve();
  const io = testIo({ cwd: folder.folder });
  expect(await run(['lock', '--config', folder.file], io, openGateway), io.stderr.text).toBe(0);
});
afterAll(async () => {
  folder?.remove();
  await endAll();
});

async function tools(gateway: OwnGateway): Promise<Map<string, Json>> {
  const { message } = await send(gateway.url, modernRequest('tools/list', {}));
  const listed = (message.result as { tools: Json[] }).tools.filter(({ name }) => String(name).startsWith('graphs__'));
  return new Map(listed.map((tool) => [String(tool.name), tool]));
}

async function withGateway(check: (gateway: OwnGateway) => Promise<void>): Promise<void> {
  const gateway = await startGateway({ folder: folder.folder });
  try {
    await check(gateway);
  } finally {
    await gateway.stop();
  }
}

describe('with a lock file, the agents of a LangGraph server', () => {
  it('are locked with the schemas of their input, and the first list has them as they stay', async () => {
    told = Promise.withResolvers();
    await withGateway(async (gateway) => {
      expect([...(await tools(gateway)).keys()]).toEqual([]);
      told.resolve();
      await gateway.reaches('graphs', 'ready');
      const first = await tools(gateway);
      expect([...first.keys()]).toEqual(['graphs__graph-1', 'graphs__graph-2']);
      expect(first.get('graphs__graph-1')).toMatchObject({
        inputSchema: { properties: { input: { properties: NUMBERS } } },
      });
      expect(gateway.log()).not.toContain('switchboard.lock.json');
    });
  });

  it('are hidden from the first list on where their schema is another one', async () => {
    takes = { ...NUMBERS, command: { type: 'string' } };
    await withGateway(async (gateway) => {
      await gateway.reaches('graphs', 'ready');
      expect([...(await tools(gateway)).keys()]).toEqual(['graphs__graph-2']);
    });
    takes = NUMBERS;
  });

  it('are listed without the one whose schema the server fails on', async () => {
    fails = true;
    await withGateway(async (gateway) => {
      await gateway.reaches('graphs', 'ready');
      expect([...(await tools(gateway)).keys()]).toEqual(['graphs__graph-1']);
    });
    fails = false;
  });

  it('are not listed while a schema cannot be read', async () => {
    answers = false;
    await withGateway(async (gateway) => {
      await gateway.reaches('graphs', 'degraded');
      expect([...(await tools(gateway)).keys()]).toEqual([]);
      expect(gateway.status('graphs').error).toContain('did not tell the schemas of its graph');
    });
    answers = true;
  });
});
