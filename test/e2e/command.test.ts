/** The command line in front of real servers: what a person types, and what a script reads. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { MastraFixture } from '../fixtures/mastra.ts';
import { borrowMastra } from '../fixtures/shared.ts';
import { Clients } from './clients.ts';
import { type Folder, gatewayFolder, startGateway } from './gateway.ts';
import { until } from './until.ts';
import { EVERYTHING } from './upstreams/everything.ts';

const MAIN = join(import.meta.dirname, '../../bin/switchboard.js');

let mastra: MastraFixture;
let folder: Folder & { remove(): void };
const clients = new Clients();

beforeAll(async () => {
  mastra = await borrowMastra();
  folder = gatewayFolder({ servers: { everything: EVERYTHING, mastra: { url: mastra.url, kind: 'mastra' } } });
});
afterAll(async () => {
  await clients.close();
  folder?.remove();
  await mastra?.stop();
});

interface Ended {
  code: number | null;
  stdout: string;
  stderr: string;
  /** Pieces of stdout as they came. */
  pieces: string[];
}

async function run(args: string[], env: Record<string, string> = {}): Promise<Ended> {
  const child = spawn(process.execPath, [MAIN, ...args], {
    cwd: folder.folder,
    env: { PATH: process.env.PATH ?? '', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const pieces: string[] = [];
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => pieces.push(text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const [code] = await once(child, 'close');
  return { code, stdout: pieces.join(''), stderr, pieces };
}

describe('switchboard', () => {
  it('check shows the state of every server', async () => {
    const { code, stdout } = await run(['check', '--json']);
    expect(JSON.parse(stdout).servers).toMatchObject([
      { name: 'everything', kind: 'mcp', era: 'legacy', transport: 'stdio', state: 'ready' },
      { name: 'mastra', kind: 'mastra', transport: 'http', state: 'ready' },
    ]);
    expect(code).toBe(0);
  });

  it('call prints what a tool answers', async () => {
    const { code, stdout } = await run(['call', 'everything__get-sum', '{"a": 40, "b": 2}']);
    expect([code, stdout]).toEqual([0, 'The sum of 40 and 2 is 42.\n']);
  });

  it('ask prints the answer of an agent as it is made', async () => {
    const { code, stdout, pieces } = await run(['ask', 'mastra/echo', 'one', 'two', 'three']);
    expect([code, stdout]).toEqual([0, 'Echo: one two three\n']);
    expect(pieces.length).toBeGreaterThan(1);
    const failing = await run(['ask', 'mastra/failing', 'hello']);
    expect(failing.code).toBe(1);
    expect(failing.stderr).not.toMatch(/sk-fixture|\n\s+at /);
  });

  it('agents lists who can be asked, of AGENT_SERVERS too', async () => {
    const { code, stdout } = await run(['agents', '--json']);
    expect(code).toBe(0);
    const agents = JSON.parse(stdout).agents.map(({ agent }: { agent: string }) => agent);
    expect(agents).toEqual(expect.arrayContaining(['mastra/echo', 'mastra/janitor']));
  });
});

it('AGENT_SERVERS alone configures a gateway, as for mcp-agent-proxy', async () => {
  const gateway = await startGateway({ env: { AGENT_SERVERS: `${mastra.url}, ${mastra.url}/api/mcp/toolbox/mcp` } });
  try {
    const client = await clients.connect('v1', { http: gateway.url });
    const listed = async (): Promise<{ agent: string }[]> =>
      (await client.call('listAgents')).structuredContent?.agents as { agent: string }[];
    await until(async () => (await listed()).length > 0, 'the agents');
    const [{ agent }] = (await listed()).filter(({ agent: id }) => id.endsWith('/echo')) as [{ agent: string }];
    const answer = await client.call('callAgent', {
      targetAgentId: agent.replace('/', ':'),
      interactionType: 'generate',
      messages: [{ role: 'user', content: 'hello' }],
    });
    expect(answer.structuredContent).toMatchObject({ text: 'Echo: hello' });
    await until(async () => (await client.tools()).some((name) => name.endsWith('__shout')), 'the MCP server');
  } finally {
    await gateway.close();
  }
});
