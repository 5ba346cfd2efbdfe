/**
 * Calls of an agent of a Mastra server, by `callAgent` and by the agent's tool, beside limit (c) for such calls: an answer as
 * a whole, one that is streamed to the client, and long streams, after which nothing may have grown.
 * @module
 */
import { BUDGET_CALLERS } from './blocks.ts';
import { Child } from './child.ts';
import { type Compared, type ComparedRow, compare, type Pace } from './compare.ts';
import { AGENT, answer, prompt } from './fake-agents.ts';
import type { FleetReply, FleetRequest } from './fleet.ts';
import { Gateway } from './gateway.ts';
import { Inspector } from './inspector.ts';
import type { LimitReply, LimitRequest } from './limit-process.ts';
import { LoadClient } from './load-client.ts';
import type { Layout } from './machine.ts';
import type { AskedCall } from './messages.ts';

const SERVER = 'mastra';

/** What is asked for: how many tokens, and whether they are streamed to the client. */
export const AGENT_LOADS = {
  whole: { label: '20 tokens, as a whole', tokens: 20, streams: false },
  stream: { label: '100 tokens, streamed', tokens: 100, streams: true },
} as const;
export type AgentLoad = keyof typeof AGENT_LOADS;

/** How: limit (c), the builtin tool, the tool that the agent is. */
export const AGENT_WAYS = ['(c)', 'callAgent', "the agent's tool"] as const;
export type AgentWay = (typeof AGENT_WAYS)[number];

/** Tokens of one of the long streams. */
export const LONG_TOKENS = 1_000;
/** Callers of the long streams at one time. */
const LONG_CALLERS = 4;

export interface AgentRows {
  rows: { load: AgentLoad; way: AgentWay; row: ComparedRow }[];
  long: LongStreams;
}

export interface LongStreams {
  calls: number;
  /** Bytes of live objects, after as many calls again than before, with garbage collected. */
  grown: number;
}

export interface AgentEffort extends Pace {
  longCalls: number;
}

export async function measureAgents(
  layout: Layout,
  effort: AgentEffort,
  progress: (text: string) => void,
): Promise<AgentRows> {
  const fleet = new Child({ script: new URL('fleet.ts', import.meta.url), core: layout.loadCore, channel: true });
  const limitScript = new URL('limit-process.ts', import.meta.url);
  const limit = new Child({ script: limitScript, core: layout.gatewayCore, channel: true });
  const load = new LoadClient(layout.loadCore);
  let gateway: Gateway | undefined;
  try {
    const members: FleetRequest = { members: ['agents'] };
    const { ports: upstreamPorts } = await fleet.ask<FleetReply>(members);
    const asLimit: LimitRequest = { limit: 'agents', upstreamPorts };
    const [limitPort = 0] = (await limit.ask<LimitReply>(asLimit)).ports;
    const server = { url: `http://127.0.0.1:${upstreamPorts[0]}`, kind: 'mastra', concurrency: 64 };
    gateway = await Gateway.start({ upstreams: {}, more: { [SERVER]: server }, layout, inspect: true }, 1);
    const inspector = await Inspector.attach(gateway.child);
    const { port, child } = gateway;
    const targets = Object.keys(AGENT_LOADS).flatMap((name) =>
      AGENT_WAYS.map((way) =>
        targetOf(
          name as AgentLoad,
          way,
          way === '(c)' ? { port: limitPort, pid: limit.pid } : { port, pid: child.pid },
        ),
      ),
    );
    const rows = await compare(load, targets, effort, progress);
    progress(`agents: ${effort.longCalls} streams of ${LONG_TOKENS} tokens`);
    const long = await measureLong(load, inspector, port, effort.longCalls);
    inspector.close();
    return {
      rows: rows.map((row) => {
        const [name, way] = row.name.split(': ') as [AgentLoad, AgentWay];
        return { load: name, way, row };
      }),
      long,
    };
  } finally {
    await Promise.all([gateway?.stop(), fleet.stop(), limit.stop(), load.stop()]);
  }
}

function targetOf(load: AgentLoad, way: AgentWay, at: { port: number; pid: number }): Compared {
  const { tokens, streams } = AGENT_LOADS[load];
  const job = {
    ...jobFor(tokens, streams, way === 'callAgent'),
    port: at.port,
    callers: BUDGET_CALLERS,
  };
  return { name: `${load}: ${way}`, beside: way === '(c)' ? undefined : `${load}: (c)`, job, pids: [at.pid] };
}

function jobFor(tokens: number, streams: boolean, builtin: boolean) {
  const message = prompt(tokens);
  const asked: AskedCall = {
    arguments: builtin ? { agent: `${SERVER}/${AGENT}`, message, stream: streams } : { message },
    text: answer(tokens),
    // The result, and a notification for each token.
    events: streams ? tokens + 1 : undefined,
  };
  const tool = builtin ? 'callAgent' : `${SERVER}__${AGENT}`;
  return { path: '/mcp', era: 'modern' as const, operation: 'small' as const, tool, tools: 1, asked };
}

/** The second half of the calls must find what the first half has left. */
async function measureLong(load: LoadClient, inspector: Inspector, port: number, calls: number): Promise<LongStreams> {
  const live = async (): Promise<number> => {
    await inspector.collectGarbage();
    await inspector.collectGarbage();
    return inspector.liveBytes();
  };
  await load.prepare({ ...jobFor(LONG_TOKENS, true, true), port, callers: LONG_CALLERS, warmupCalls: calls });
  const before = await live();
  await load.measureCalls(calls);
  const after = await live();
  await load.finish();
  return { calls, grown: after - before };
}
