/**
 * What messages and descriptions say of the kinds of servers there are.
 * @module
 */
import type { Adapter, Target } from './adapter.ts';
import { SwitchboardError } from './errors.ts';

const and = new Intl.ListFormat('en-GB', { type: 'conjunction' });
const or = new Intl.ListFormat('en-GB', { type: 'disjunction' });

/** `MCP, Mastra and LangGraph`. */
export const allKinds = (adapters: readonly Adapter[]): string => and.format(adapters.map(({ label }) => label));

/** `MCP, Mastra or LangGraph`. */
export const anyKind = (adapters: readonly Adapter[]): string => or.format(adapters.map(({ label }) => label));

/** `For MCP the URL includes the path (often /mcp); for Mastra and LangGraph it is the base URL`. */
export function urlHints(adapters: readonly Adapter[]): string {
  const labels = Map.groupBy(adapters, ({ urlHint }) => urlHint);
  const clauses = [...labels].map(([hint, those]) => `for ${and.format(those.map(({ label }) => label))} ${hint}`);
  return clauses.join('; ').replace(/^f/, 'F');
}

/** Those whose servers may be at such an address: at a broker's, or at an http or https one. */
export const reachedBy = (adapters: readonly Adapter[], transport: Exclude<Target['transport'], 'stdio'>): Adapter[] =>
  adapters.filter(({ transports }) =>
    transports.some((each) => (transport === 'mqtt' ? each === 'mqtt' : each !== 'mqtt' && each !== 'stdio')),
  );

/** The adapter of a kind. */
export const adapterOf = (adapters: readonly Adapter[], kind: string): Adapter | undefined =>
  adapters.find((adapter) => adapter.kind === kind);

/** Throws `SWB_CONFIG` when two adapters are of one kind or have one key, or one takes the gateway's own name. */
export function checkAdapters(adapters: readonly Adapter[]): void {
  const kinds = new Set(['builtin']);
  const keys = new Set<string>();
  for (const { kind, options = {} } of adapters) {
    if (kinds.has(kind)) throw new SwitchboardError('SWB_CONFIG', `There are two adapters of the kind '${kind}'.`);
    kinds.add(kind);
    for (const key of Object.keys(options)) {
      if (keys.has(key)) throw new SwitchboardError('SWB_CONFIG', `Two adapters have the key '${key}'.`);
      keys.add(key);
    }
  }
}
