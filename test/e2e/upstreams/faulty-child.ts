/**
 * An MCP server over stdio that works until a tool is called: what it does then is the name of the tool.
 * @module
 */
import { createInterface } from 'node:readline';

const say = (message: object): boolean => process.stdout.write(`${JSON.stringify(message)}\n`);
const text = (said: string): object => ({ content: [{ type: 'text', text: said }] });

const FAULTS: Readonly<Record<string, (id: unknown) => void>> = {
  noise: (id) => {
    process.stdout.write('Listening on http://10.9.8.7:5432 ...\n{"half": \n\n');
    say({ jsonrpc: '2.0', id, result: text('after the noise') });
  },
  stderr: (id) => {
    process.stderr.write('secret=hunter2\n'.repeat(10_000));
    say({ jsonrpc: '2.0', id, result: text('after much on stderr') });
  },
  big_line: (id) => say({ jsonrpc: '2.0', id, result: text('x'.repeat(9 * 1024 * 1024)) }),
  half_line: (id) => {
    process.stdout.write(JSON.stringify({ jsonrpc: '2.0', id, result: text('half') }).slice(0, 30), () =>
      process.exit(1),
    );
  },
  exit: () => process.exit(7),
  crash: () => process.kill(process.pid, 'SIGKILL'),
  other_id: () => say({ jsonrpc: '2.0', id: 'somebody-else', result: text('not yours') }),
  silence: () => {},
};

function answer(id: unknown, method: string, params: { name?: string }): object | undefined {
  switch (method) {
    case 'initialize':
      return {
        protocolVersion: '2025-11-25',
        capabilities: { tools: {} },
        serverInfo: { name: 'faulty', version: '1' },
      };
    case 'ping':
      return {};
    case 'tools/list':
      return { tools: [...Object.keys(FAULTS), 'fine'].map((name) => ({ name, inputSchema: { type: 'object' } })) };
    case 'tools/call':
      if (params.name === 'fine') return text(`fine from ${process.pid}`);
      FAULTS[params.name ?? '']?.(id);
      return undefined;
    default:
      return undefined;
  }
}

createInterface({ input: process.stdin }).on('line', (line) => {
  const { id, method, params = {} } = JSON.parse(line);
  if (id === undefined || method === undefined) return;
  const made = answer(id, method, params);
  if (made) say({ jsonrpc: '2.0', id, result: made });
  else if (method !== 'tools/call') say({ jsonrpc: '2.0', id, error: { code: -32601, message: 'Method not found' } });
});
