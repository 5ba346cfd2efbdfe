/**
 * Runs a command of the command line in this process.
 * @module
 */
import { dirname } from 'node:path';
import { configFile } from '../../config/testing/files.ts';
import type { MemoryServer } from '../../tools/testing/rig.ts';
import { run } from '../program.ts';
import { type GatewayProbe, memoryGateway, type ProbeOptions } from './gateway.ts';
import { type TestIo, type TestIoOptions, testIo } from './io.ts';

/** Two servers that answer, one that is away, one that is switched off. */
export const CALCULATOR: MemoryServer = {
  kind: 'mcp',
  url: 'http://calculator.example',
  tools: ['add', 'fail', 'hang'],
  async answer(method, params, call) {
    if (method !== 'tools/call') throw new Error(`not expected: ${method}`);
    if (params.name === 'hang') {
      const { promise, reject } = Promise.withResolvers<never>();
      call.onAbort(reject);
      return promise;
    }
    if (params.name === 'fail')
      return { content: [{ type: 'text', text: 'division by \u001b[31mzero' }], isError: true };
    const { a = 0, b = 0 } = (params.arguments ?? {}) as { a?: number; b?: number };
    call.notify({
      jsonrpc: '2.0',
      method: 'notifications/progress',
      params: { progress: 1, total: 2, message: 'adding' },
    });
    return { content: [{ type: 'text', text: `${a + b}` }], structuredContent: { sum: a + b } };
  },
};

export const WRITER: MemoryServer = {
  kind: 'mastra',
  url: 'http://writer.example',
  agents: [
    { key: 'poet', value: { name: 'Poet', description: 'Writes\npoems' } },
    { key: 'shy', value: { description: 'Waits for a person' } },
  ],
  async answer(_method, params, call) {
    if (params.agent === 'shy') {
      return { status: 'interrupted', text: '', threadId: 't1', interrupts: [{ question: 'May I?' }] };
    }
    for (const message of ['roses ', 'are ']) {
      call.notify({ jsonrpc: '2.0', method: 'notifications/progress', params: { progress: 1, message } });
    }
    return { status: 'completed', text: 'roses are red', threadId: 't1' };
  },
};

export const AWAY: MemoryServer = { kind: 'langgraph', url: 'http://away.example', away: true };

export const SERVERS = {
  calculator: { kind: 'mcp', url: CALCULATOR.url },
  writer: { kind: 'mastra', url: WRITER.url },
};

export interface Ran extends TestIo {
  code: number;
  probe: GatewayProbe;
  /** What stands on stdout, as JSON. */
  json: () => unknown;
}

export interface RunOptions extends TestIoOptions, ProbeOptions {
  content?: unknown;
  servers?: readonly MemoryServer[];
  /** Called when the command has begun. */
  meanwhile?: (io: TestIo, probe: GatewayProbe, file: string) => Promise<void>;
}

/** Runs it against a configuration (by default the calculator and the writer), and waits for its end. */
export async function runCli(args: readonly string[], options: RunOptions = {}): Promise<Ran> {
  const file = await configFile(options.content ?? { servers: SERVERS });
  const io = testIo({ cwd: dirname(file), ...options });
  const probe = memoryGateway(options.servers ?? [CALCULATOR, WRITER, AWAY], options);
  const running = run(args, io, probe.openGateway);
  await options.meanwhile?.(io, probe, file);
  const code = await running;
  return { ...io, code, probe, json: () => JSON.parse(io.stdout.text) };
}
