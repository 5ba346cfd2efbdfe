/**
 * LangGraph servers (the JavaScript server 1.5 and 2.0, measured; the Python one by its documented API) as upstreams:
 * assistants are agents, runs are calls, interrupts are questions. `README.md` beside this file has the mapping.
 * @module
 */

import type { Adapter } from '../../src/core/adapter.ts';

export const langgraphAdapter: Adapter = {
  kind: 'langgraph',
  label: 'LangGraph',
  urlHint: 'it is the base URL',
  transports: ['http', 'auto'],
  detectRank: 10,
  listsWhatItDeclares: false,
  speaksMcp: false,
  agents: { continuations: ['resume', 'command', 'input'], takesThreadIds: true },
  detect: async (url, context) => (await import('./connect.ts')).detect(url, context),
  connect: async (context) => (await import('./connect.ts')).connect(context),
};
