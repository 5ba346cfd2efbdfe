/**
 * `switchboard policy test <file>`: compares decisions of the policy with the cases of a file.
 * @module
 */

import { SwitchboardError } from '../../core/errors.ts';
import { plural } from '../../core/text.ts';
import type { Explanation } from '../../policy/explain/explanation.ts';
import { EXIT, type ExitCode } from '../exit.ts';
import { verdictText } from '../format/explanation.ts';
import { notReady } from '../format/status.ts';
import { oneLine } from '../format/text.ts';
import { untilTried } from '../progress.ts';
import type { CommandContext } from '../session.ts';
import { type PolicyCase, readCases } from './policy-cases.ts';

interface Tried {
  case: PolicyCase;
  explanation: Explanation | undefined;
  /** Empty: it is as expected. */
  problems: readonly string[];
}

/** `failed` when any case does. Limits count from nothing for every case. */
export async function testPolicy(context: CommandContext, file: string): Promise<ExitCode> {
  const { out, io, signal } = context;
  const { label, cases } = await readCases(file, io.cwd);
  await untilTried(context);
  const tried: Tried[] = [];
  for (const each of cases) {
    if (signal.aborted) throw signal.reason;
    tried.push(await tryCase(context, each));
  }
  const failed = tried.filter(({ problems }) => problems.length > 0);
  if (context.json) {
    out.json({ file: label, cases: tried.map(caseJson), passed: tried.length - failed.length, failed: failed.length });
  } else {
    for (const one of failed) out.print(failureLines(one, label, context));
    if (failed.length > 0) out.note(notReady(context));
    const summary = `${tried.length - failed.length} of ${plural(tried.length, 'case')} as expected.`;
    out.print(out.paint(failed.length === 0 ? 'green' : 'red', summary));
  }
  return failed.length === 0 ? EXIT.ok : EXIT.failed;
}

async function tryCase({ gateway }: CommandContext, wanted: PolicyCase): Promise<Tried> {
  const { kind, of, server, args, grant, times } = wanted;
  try {
    const explanation = await gateway.explain({ kind, name: of, server, args, grant, times });
    return { case: wanted, explanation, problems: problemsOf(wanted, explanation) };
  } catch (error) {
    // A grant or name that does not exist fails this case only.
    if (!(error instanceof SwitchboardError)) throw error;
    return { case: wanted, explanation: undefined, problems: [error.message] };
  }
}

function problemsOf({ expect, rule, listed, kind }: PolicyCase, got: Explanation): string[] {
  const { verdict, presence } = got;
  // A misspelt name is denied too; a case that means this names the rule.
  if (presence === 'none' && rule !== verdict.rule) return [`there is no such ${kind}`];
  const problems: string[] = [];
  if (verdict.effect !== expect) problems.push(`expected ${expect}, found ${verdict.effect} ${verdictText(verdict)}`);
  else if (rule !== undefined && !decidingRules(got).has(rule))
    problems.push(`expected the rule ${rule}, found ${verdict.effect} ${verdictText(verdict)}`);
  if (listed !== undefined && listed !== got.listed)
    problems.push(listed ? 'expected it to be listed, and it is not' : 'expected it not to be listed, and it is');
  return problems;
}

/** Rules that decided, with and without their document's name. An allow is decided by every rule that passed. */
function decidingRules({ verdict, passes }: Explanation): ReadonlySet<string> {
  const rules = [{ policy: verdict.policy, rule: verdict.rule }];
  if (verdict.effect === 'allow') {
    rules.push(
      ...(passes.at(-1)?.rules ?? []).filter(({ mode, outcome }) => mode === 'enforce' && outcome === 'passed'),
    );
  }
  return new Set(rules.flatMap(({ policy, rule }) => [rule, `${policy}#${rule}`]));
}

function failureLines({ case: one, problems }: Tried, label: string, { out }: CommandContext): string[] {
  const who = one.grant === undefined ? '' : ` for grant "${one.grant}"`;
  const title = one.name ?? `${one.kind} ${one.of}${who}`;
  const head = `${out.paint('red', 'FAILED')} ${label}:${one.place.line} ${oneLine(title)}`;
  return [head, ...problems.map((problem) => `  ${oneLine(problem)}`)];
}

const caseJson = ({ case: one, explanation, problems }: Tried): object => ({
  name: one.name ?? null,
  kind: one.kind,
  of: one.of,
  grant: one.grant ?? null,
  line: one.place.line,
  expect: one.expect,
  passed: problems.length === 0,
  problems,
  listed: explanation?.listed ?? null,
  verdict: explanation?.verdict ?? null,
});
