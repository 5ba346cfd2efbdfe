/**
 * Where the gateway's CPU time goes: sampled profiles of the windows themselves, without start-up and warm-up, through
 * the inspector. Self time by function and by module.
 * @module
 */
import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Block, Target } from './blocks.ts';
import type { Child } from './child.ts';
import { type CpuProfile, Inspector, type ProfileNode } from './inspector.ts';
import type { Layout } from './machine.ts';
import type { Effort } from './rounds.ts';
import { alignedTable } from './tables.ts';
import { LISTED_TOOLS, Topology } from './topology.ts';

const PROFILED: readonly Target[] = ['gateway', 'cross', 'policy', 'redacted'];
const WINDOW_MS = 3_000;
const SHOWN = 25;
const ROOT = new URL('../', import.meta.url).href;

/** Profiles the gateway under each block's load. Returns the report. */
export async function profileGateway(
  layout: Layout,
  blocks: readonly Block[],
  effort: Effort,
  progress: (text: string) => void,
): Promise<string> {
  const topology = await Topology.start(layout, true);
  try {
    const inspectors = new Map<Child, Inspector>();
    const parts: string[] = [];
    for (const block of blocks.filter(({ operation }) => operation !== 'list')) {
      for (const target of PROFILED.filter((one) => block.targets.includes(one))) {
        const child = topology.processOf(target);
        const endpoint = topology.endpoint(block, target);
        if (!child || !endpoint) throw new Error(`there is no gateway to profile: ${topology.gatewayMissing}`);
        const inspector = inspectors.get(child) ?? (await Inspector.attach(child));
        inspectors.set(child, inspector);
        progress(`profile: ${block.id} ${target}`);
        const { operation, era, callers } = block;
        const warmupCalls = effort.warmup[operation];
        const { port, tool, headers } = endpoint;
        const job = { port, path: '/mcp', era, operation, tool, tools: LISTED_TOOLS, callers, warmupCalls, headers };
        await topology.prepare(job);
        await inspector.startProfile();
        const window = await topology.measure(WINDOW_MS);
        const profile = await inspector.stopProfile();
        await topology.finish();
        const file = join(tmpdir(), `switchboard-${block.id.replaceAll('/', '-')}-${target}.cpuprofile`);
        await writeFile(file, JSON.stringify(profile));
        parts.push(`${block.id} ${target}: ${window.calls} calls, ${file}`, describe(profile));
      }
    }
    for (const inspector of inspectors.values()) inspector.close();
    return parts.join('\n');
  } finally {
    await topology.stop();
  }
}

function describe(profile: CpuProfile): string {
  const nodes = new Map(profile.nodes.map((node) => [node.id, node]));
  const callers = new Map<number, ProfileNode>();
  for (const node of profile.nodes) for (const child of node.children ?? []) callers.set(child, node);
  const byFunction = new Map<string, number>();
  const byModule = new Map<string, number>();
  let busy = 0;
  for (const [i, id] of profile.samples.entries()) {
    const node = nodes.get(id);
    const microseconds = profile.timeDeltas[i] ?? 0;
    if (!node || node.callFrame.functionName === '(idle)') continue;
    busy += microseconds;
    add(byFunction, labelOf(node, callers), microseconds);
    add(byModule, moduleName(node), microseconds);
  }
  const share = (map: Map<string, number>): string[][] =>
    [...map]
      .sort(([, one], [, another]) => another - one)
      .slice(0, SHOWN)
      .map(([name, time]) => [((100 * time) / busy).toFixed(1), name]);
  return [
    alignedTable({ title: 'self time by module, % of busy', head: ['%', 'module'], rows: share(byModule) }),
    alignedTable({ title: 'self time by function, % of busy', head: ['%', 'function'], rows: share(byFunction) }),
  ].join('\n');
}

function add(map: Map<string, number>, key: string, value: number): void {
  map.set(key, (map.get(key) ?? 0) + value);
}

/** A native function says nothing without the nearest caller that is not a part of Node. */
function labelOf(node: ProfileNode, callers: ReadonlyMap<number, ProfileNode>): string {
  if (node.callFrame.url !== '') return frameName(node);
  let caller = callers.get(node.id);
  while (caller && !caller.callFrame.url.startsWith('file:')) caller = callers.get(caller.id);
  return caller ? `${frameName(node)} < ${frameName(caller)}` : frameName(node);
}

function frameName({ callFrame }: ProfileNode): string {
  const { functionName, url, lineNumber } = callFrame;
  const place = url === '' ? '' : ` ${url.replace(ROOT, '').replace(/^.*node_modules\//, '')}:${lineNumber + 1}`;
  return `${functionName || '(anonymous)'}${place}`;
}

/** Own folders, packages, parts of Node, and what has no source: `(garbage collector)`, `(program)`, native. */
function moduleName({ callFrame }: ProfileNode): string {
  const { functionName, url } = callFrame;
  if (url === '') return functionName.startsWith('(') ? functionName : '(native)';
  const dependency = /node_modules\/((?:@[^/]+\/)?[^/]+)(?!.*node_modules\/)/.exec(url)?.[1];
  if (dependency !== undefined) return dependency;
  if (url.startsWith(ROOT)) return url.slice(ROOT.length).split('/').slice(0, 2).join('/');
  return url;
}
