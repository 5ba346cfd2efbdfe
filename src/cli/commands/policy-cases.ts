/**
 * The file `policy test` reads: cases that say what a policy must decide.
 * @module
 */
import { resolve } from 'node:path';
import { z } from 'zod';
import { explain } from '../../config/explain.ts';
import { JsonSyntaxError, parseJsonc, type TextPosition } from '../../config/jsonc.ts';
import { Findings, inFileOrder, lineOf, shownPath } from '../../config/mistakes.ts';
import { readTextFile } from '../../config/read-file.ts';
import { schemaWords } from '../../config/schema/words.ts';
import { EXPLAINED_KINDS, type ExplainedKind } from '../../policy/explain/explanation.ts';
import type { JsonObject } from '../../wire/jsonrpc.ts';
import { UsageError } from '../exit.ts';

const MAX_CASES = 10_000;
/** Of mistakes. */
const MAX_LINES = 50;
const name = () => z.string().min(1).max(2_048).optional();

const caseSchema = z
  .strictObject({
    name: z.string().max(200).optional().meta({ description: 'What the case is about.' }),
    tool: name(),
    prompt: name(),
    resource: name(),
    agent: name(),
    method: name(),
    server: name(),
    args: z.record(z.string(), z.unknown()).optional(),
    grant: name().meta({ description: 'Who asks. Default: the local user.' }),
    times: z.int().min(1).max(1_000_000).optional().meta({
      description: 'It is asked so many times in one moment, from counts of nothing; the last is what counts.',
    }),
    expect: z.enum(['allow', 'deny', 'approve']),
    rule: z.string().min(1).max(4_096).optional().meta({ description: 'Which rule decides.' }),
    listed: z.boolean().optional().meta({ description: 'Whether lists show it.' }),
  })
  .superRefine((entry, context) => {
    const kinds = EXPLAINED_KINDS.filter((kind) => entry[kind] !== undefined);
    if (kinds.length === 1) return;
    const found = kinds.length === 0 ? 'found none of' : `found ${kinds.join(' and ')}; allowed: one of`;
    context.addIssue({ code: 'custom', message: `${found} ${EXPLAINED_KINDS.join(', ')}` });
  });

const fileSchema = z.strictObject({
  $schema: z.string().optional(),
  cases: z.array(caseSchema).min(1).max(MAX_CASES),
});

const WORDS = schemaWords(() => z.toJSONSchema(fileSchema, { io: 'input', target: 'draft-7' }) as JsonObject);

export interface PolicyCase extends z.output<typeof caseSchema> {
  kind: ExplainedKind;
  /** Name or URI of the request. */
  of: string;
  args: JsonObject;
  times: number;
  place: TextPosition;
}

export interface PolicyCases {
  /** As a person here would type it. */
  label: string;
  cases: readonly PolicyCase[];
}

/** Throws {@link UsageError} with a line for each mistake. */
export async function readCases(file: string, cwd: string): Promise<PolicyCases> {
  const path = resolve(cwd, file);
  const label = shownPath(path, cwd);
  const { text, problem } = await readTextFile(path);
  if (text === undefined) throw new UsageError(`${label}: ${problem}.`);
  const document = parsed(text, label);
  const read = fileSchema.safeParse(document.value);
  if (!read.success) {
    const findings = new Findings();
    explain(read.error.issues, [], document.value, new Set(), findings, WORDS);
    const lines = inFileOrder(findings.mistakes, document).map((mistake) => lineOf({ label, document }, mistake));
    throw new UsageError(lines.slice(0, MAX_LINES).join('\n'));
  }
  const cases = read.data.cases.map((entry, at): PolicyCase => {
    const kind = EXPLAINED_KINDS.find((each) => entry[each] !== undefined) ?? 'tool';
    const { args = {}, times = 1 } = entry;
    return { ...entry, kind, of: entry[kind] ?? '', args, times, place: document.placeOf(['cases', at]) };
  });
  return { label, cases };
}

function parsed(text: string, label: string): ReturnType<typeof parseJsonc> {
  try {
    return parseJsonc(text);
  } catch (error) {
    if (!(error instanceof JsonSyntaxError)) throw error;
    const { line, column } = error.place;
    throw new UsageError(`${label}:${line}:${column}: not JSON: found ${error.message}.`);
  }
}
