/**
 * LangGraph servers (the JavaScript server 1.5 and 2.0, measured; the Python one by its documented API) as upstreams:
 * assistants are agents, runs are calls, interrupts are questions. `README.md` beside this file has the mapping.
 * @module
 */

import { z } from 'zod';
import type { Adapter } from '../../src/core/adapter.ts';

const graphs = z.array(z.string().min(1).max(200)).max(100).optional().meta({
  description:
    'For a LangGraph server that lists no assistants, or not all: ids of graphs that are agents beside those it lists.',
});

export const langgraphAdapter: Adapter = {
  kind: 'langgraph',
  label: 'LangGraph',
  urlHint: 'it is the base URL',
  transports: ['http', 'auto'],
  detectRank: 10,
  listsWhatItDeclares: false,
  speaksMcp: false,
  options: { graphs },
  agents: { continuations: ['resume', 'command', 'input'], takesThreadIds: true, takesKeys: true },
  detect: async (url, context) => (await import('./connect.ts')).detect(url, context),
  connect: async (context) => (await import('./connect.ts')).connect(context),
};
