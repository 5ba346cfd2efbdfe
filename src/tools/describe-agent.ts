/**
 * `describeAgent`: what the catalog has on an agent, and what its server says when asked.
 * @module
 */
import { z } from 'zod';
import type { Adapter } from '../core/adapter.ts';
import { SwitchboardError, UpstreamError } from '../core/errors.ts';
import { line } from '../core/text.ts';
import { agentId } from '../relay/agents/outcome.ts';
import { isObject, type JsonObject } from '../wire/jsonrpc.ts';
import { agentName, agentSummary, resolveAgent } from './agents.ts';
import { AGENT_ARGUMENT, serverKind } from './schemas.ts';
import { someOf } from './text.ts';
import { defineTool } from './tool.ts';

const anything = () => z.record(z.string(), z.unknown());

export const describeAgent = (adapters: readonly Adapter[]) =>
  defineTool({
    name: 'describeAgent',
    title: 'Describe an agent',
    description:
      'What is known of one agent: name, server, description, and what its server tells about it (such as model, tools ' +
      'or input schema). When the server cannot be asked, the catalog entry is returned with the reason.',
    input: z.strictObject({
      agent: z.string().min(1).max(512).meta({ description: AGENT_ARGUMENT }),
      part: z.string().min(1).max(256).optional().meta({
        description: 'Only this member of the details, whole: a path with dots, as `omitted` names it.',
      }),
    }),
    output: z.object({
      agent: z.string().meta({ description: '`server/agent`.' }),
      server: z.string(),
      name: z.string(),
      description: z.string().optional(),
      kind: serverKind(adapters).optional(),
      stale: z.boolean(),
      entry: anything().meta({ description: 'The catalog entry.' }),
      details: anything().optional().meta({ description: 'What the server tells, as far as it fits on a page.' }),
      omitted: z
        .array(z.string())
        .optional()
        .meta({ description: 'Members that are too long for it; part asks for one.' }),
      unavailable: z.string().optional().meta({ description: 'Why there are no details.' }),
    }),
    annotations: { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: true },
    async run({ agent, part }, context) {
      const { call } = context;
      const route = await resolveAgent(context, agent);
      const described = {
        agent: agentId(route),
        name: agentName(route),
        ...agentSummary(route),
        ...entryOf(route.entry.value),
      };
      const asked = await context.callAgent(route, 'agents/describe', { agent: route.original }, call).then(
        (details) => (part === undefined ? onePage('details', details, PAGE) : { details: partOf(details, part) }),
        (error: unknown) => {
          if (call.aborted || !(error instanceof SwitchboardError || error instanceof UpstreamError)) throw error;
          // An agent the caller may not call is not described either.
          if (error instanceof SwitchboardError && error.code === 'SWB_DENIED') throw error;
          return { unavailable: error.message };
        },
      );
      const text = [
        `${described.agent}: ${line(described.name, 100)}${described.kind ? ` (${described.kind})` : ''}`,
        ...(described.description ? [line(described.description, MAX_DESCRIPTION)] : []),
        ...('details' in asked ? factLines(asked.details) : [`No details: ${asked.unavailable}`]),
      ];
      const omitted = [...described.omitted, ...('omitted' in asked ? asked.omitted : [])];
      if (omitted.length > 0) text.push(`Too long for a page, and had with part: ${someOf(omitted, 20)}`);
      const { omitted: _, ...known } = described;
      const { details, unavailable } = asked as { details?: JsonObject; unavailable?: string };
      const structured = {
        ...known,
        ...(details ? { details } : {}),
        ...(unavailable === undefined ? {} : { unavailable }),
        ...(omitted.length > 0 ? { omitted } : {}),
      };
      return { structured, text: text.join('\n') };
    },
  });

/** Bytes of JSON that one answer holds of the entry and of the details. */
const PAGE = 12_000;
const MAX_PART = 64 * 1024;
const MAX_DESCRIPTION = 2_000;

function entryOf(value: JsonObject): { entry: JsonObject; omitted: string[] } {
  // The details have them too.
  const { details, omitted } = onePage('entry', value, PAGE / 4);
  return { entry: details, omitted: omitted.filter((path) => !SCHEMAS.has(path.slice('entry.'.length))) };
}

const SCHEMAS: ReadonlySet<string> = new Set(['inputSchema', 'outputSchema']);

interface Page {
  details: JsonObject;
  omitted: string[];
}

/** As much of an object as fits: its short members first, and of a long one, what of it fits. */
function onePage(path: string, value: JsonObject, budget: number): Page {
  if (sizeOf(value) <= budget) return { details: value, omitted: [] };
  const kept = new Map<string, unknown>();
  const omitted: string[] = [];
  let left = budget;
  const sized = Object.entries(value).map(([key, member]) => ({ key, member, size: sizeOf(member) + key.length + 4 }));
  for (const { key, member, size } of sized.toSorted((a, b) => a.size - b.size)) {
    const at = path === 'details' ? key : `${path}.${key}`;
    if (size <= left) {
      kept.set(key, member);
      left -= size;
    } else if (isObject(member) && left > MIN_PART && path.split('.').length < MAX_DEPTH) {
      const part = onePage(at, member, left - key.length - 4);
      kept.set(key, part.details);
      omitted.push(...part.omitted);
      left -= sizeOf(part.details) + key.length + 4;
    } else if (omitted.length < MAX_OMITTED) omitted.push(at);
  }
  // In the server's order.
  const details = Object.fromEntries(
    Object.keys(value).flatMap((key) => (kept.has(key) ? [[key, kept.get(key)]] : [])),
  );
  return { details, omitted };
}

const MIN_PART = 500;
const MAX_DEPTH = 4;
const MAX_OMITTED = 50;

const sizeOf = (value: unknown): number => JSON.stringify(value)?.length ?? 0;

function partOf(details: JsonObject, path: string): JsonObject {
  const value = path
    .split('.')
    .reduce<unknown>((at, key) => (isObject(at) && Object.hasOwn(at, key) ? at[key] : undefined), details);
  if (value === undefined) {
    throw new SwitchboardError(
      'SWB_INVALID_PARAMS',
      `The details of this agent have no '${line(path, 100)}'. They have: ${someOf(Object.keys(details), 20)}.`,
    );
  }
  if (sizeOf(value) <= MAX_PART) return { [path]: value };
  const within = isObject(value) ? ` Its members are: ${someOf(Object.keys(value), 20)}.` : '';
  throw new SwitchboardError('SWB_REPLY_TOO_LARGE', `'${line(path, 100)}' has more than ${MAX_PART} bytes.${within}`);
}

/** Shown above, or of no use to a reader. */
const SAID = new Set(['name', 'title', 'id', 'agent', 'description']);
const MAX_FACTS = 20;

/** One line for each detail that fits in a line. */
function factLines(details: JsonObject): string[] {
  const facts: string[] = [];
  for (const [key, value] of Object.entries(details)) {
    if (SAID.has(key) || value === null || value === undefined || value === '') continue;
    facts.push(`- ${line(key, 60)}: ${factText(value)}`);
  }
  return facts.slice(0, MAX_FACTS);
}

function factText(value: unknown): string {
  if (Array.isArray(value)) {
    const names = value.map((each) => (isObject(each) ? (each.name ?? each.id ?? each.title) : each));
    if (value.length === 0) return 'none';
    const sayable = names.every((name) => typeof name === 'string' || typeof name === 'number');
    return sayable
      ? someOf(
          names.map((name) => line(String(name), 60)),
          20,
        )
      : `${value.length} items`;
  }
  if (isObject(value)) return someOf(Object.keys(value), 20) || 'none';
  return line(String(value), 300);
}
