/**
 * What a grant waits for when it first lists 1,000 tools under a document of 200 rules, and what it waits for afterwards.
 * Every grant has a document of its own, so each first look plans every tool and makes a list; later ones find it.
 * @module
 */
import { parseReply } from './check-reply.ts';
import { Child } from './child.ts';
import type { FleetReply, FleetRequest } from './fleet.ts';
import { Gateway } from './gateway.ts';
import { governedLists, RULES } from './governed.ts';
import type { Layout } from './machine.ts';
import { listTemplate } from './messages.ts';
import { Connection } from './post.ts';
import { type Spread, spread } from './statistics.ts';

const TOOLS = 1_000;
/** How many grants look. */
export interface FirstLookEffort {
  /** Before the measured ones: the gateway's compilers have seen lists then, so that a first look is one of a grant, not of a process. */
  warmup: number;
  measured: number;
}

export const FIRST_LOOKS: FirstLookEffort = { warmup: 5, measured: 15 };

export interface FirstLookRow {
  grants: number;
  tools: number;
  rules: number;
  /** Milliseconds from sending `tools/list` to the whole reply. */
  first: Spread;
  /** The same request again. */
  cached: Spread;
}

export async function measureFirstLook(
  layout: Layout,
  progress: (text: string) => void,
  { warmup, measured }: FirstLookEffort = FIRST_LOOKS,
): Promise<FirstLookRow> {
  progress(`tools/list: the first look of ${measured} grants`);
  const fleet = new Child({ script: new URL('fleet.ts', import.meta.url), core: layout.loadCore, channel: true });
  try {
    const request: FleetRequest = { members: [{ eras: ['modern'], tools: TOOLS }] };
    const [port = 0] = (await fleet.ask<FleetReply>(request)).ports;
    // One more, to wait for the tools with: what it sees is in no other grant's lists.
    const { gateway: section, headers } = governedLists('upstream', 1 + warmup + measured);
    const [waiting, ...looking] = headers;
    const gateway = await Gateway.start(
      { upstreams: { upstream: port }, gateway: section, headers: waiting ?? {}, layout },
      TOOLS,
    );
    // One connection for all of them: whose request it is, the key says.
    const connection = new Connection(gateway.port, '/mcp');
    try {
      await list(connection, waiting ?? {});
      const first: number[] = [];
      const cached: number[] = [];
      for (const one of looking) first.push(await list(connection, one));
      // Afterwards: right behind its first look a grant would wait for its turn among the others (endpoint/http/turns.ts).
      for (const one of looking) cached.push(await list(connection, one));
      return {
        grants: measured,
        tools: TOOLS,
        rules: RULES,
        first: spread(first.slice(warmup)) as Spread,
        cached: spread(cached.slice(warmup)) as Spread,
      };
    } finally {
      await connection.close();
      await gateway.stop();
    }
  } finally {
    await fleet.stop();
  }
}

/** Milliseconds. Throws when it is not the whole list. */
async function list(connection: Connection, headers: Readonly<Record<string, string>>): Promise<number> {
  const { before, after, headers: own } = listTemplate('modern');
  const since = performance.now();
  const reply = await connection.post({ ...own, ...headers }, `${before}1${after}`);
  const took = performance.now() - since;
  const listed = reply.status === 200 ? (parseReply(reply).result.tools?.length ?? 0) : 0;
  if (listed < TOOLS) throw new Error(`${listed} tools were listed (HTTP ${reply.status}), at least ${TOOLS} expected`);
  return took;
}
