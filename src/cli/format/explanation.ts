/**
 * `policy explain` as text: the request, every rule that was evaluated, in order, then the verdict.
 * @module
 */
import type { ExplainedLimit, ExplainedPass, ExplainedVerdict, Explanation } from '../../policy/explain/explanation.ts';
import type { TraceStep } from '../../policy/explain/trace.ts';
import type { Output, Style } from '../output.ts';
import { table } from './table.ts';
import { oneLine } from './text.ts';

const VISIT_STYLES: Readonly<Record<TraceStep['outcome'], Style>> = {
  passed: 'green',
  denied: 'red',
  approval: 'yellow',
  limit: 'cyan',
  skipped: 'dim',
};

const SIGNS = { allow: ['green', 'ALLOWED'], deny: ['red', 'DENIED'], approve: ['yellow', 'APPROVAL'] } as const;

export function explanationLines(explanation: Explanation, out: Output): string[] {
  const { passes, hooks, approval, limits, shadow, sends, verdict, notes } = explanation;
  const lines = [out.paint('bold', headline(explanation)), placeLine(explanation)];
  const part = (title: string, rows: readonly string[]): void => {
    if (rows.length > 0) lines.push('', title, ...rows.map((row) => `  ${row}`));
  };
  for (const [at, pass] of passes.entries()) {
    part(at === 0 ? 'Rules' : 'Rules again, with the arguments hooks made', ruleRows(pass, out));
    part('Arguments', schemaRows(pass));
  }
  part(
    'Hooks',
    hooks.map(({ rule, mode, effect, reason, changed }) =>
      oneLine(
        `${rule}${inShadow(mode)}: ${effect}${changed ? ', with other arguments' : ''}${reason ? `: ${reason}` : ''}`,
      ),
    ),
  );
  if (approval) {
    const who = approval.approver === 'client' ? 'the person at the client, or an operator' : 'an operator';
    part('Approval', [oneLine(`${approval.policy}${approval.rule}: ${who}, within ${approval.timeoutMs / 1000} s`)]);
  }
  part('Limits', limits.map(limitRow));
  if (sends) part('Reaches the server', [oneLine(JSON.stringify(sends))]);
  part(
    'Shadow mode would have denied',
    shadow.map(({ policy, rule, reason }) => oneLine(`${policy} ${rule}: ${reason}`)),
  );
  lines.push('', verdictLine(verdict, out), ...ifThereLines(verdict, out), ...notes.map((note) => oneLine(note)));
  return lines;
}

function headline({ kind, name, subject, grant }: Explanation): string {
  const who = grant === null ? 'the local user' : `grant "${grant}"`;
  return oneLine(`${kind} ${subject?.exposed ?? name} for ${who}`);
}

function placeLine({ subject, presence, listed, kind }: Explanation): string {
  if (!subject) return `No server has a ${kind} of this name, and it begins with no server's prefix.`;
  const { server, name, namespaced } = subject;
  const own = oneLine(`"${name}" of ${server}; namespaced ${namespaced}`);
  if (presence === 'none') return `${own}. It is not there.`;
  if (presence === 'unlisted') return `${own}. No list has it.`;
  return listed ? `${own}. Listed.` : `${own}. It is there, and not listed for this caller.`;
}

const inShadow = (mode: TraceStep['mode']): string => (mode === 'shadow' ? ' (shadow)' : '');

function ruleRows({ rules }: ExplainedPass, { paint, width }: Output): string[] {
  const rows = rules.map(({ policy, mode, rule, outcome, detail }) => [
    oneLine(`${policy}${inShadow(mode)}`),
    oneLine(rule),
    paint(VISIT_STYLES[outcome], outcome),
    oneLine(detail),
  ]);
  return rows.length === 0 ? [] : table(['', '', '', ''], rows, width === undefined ? undefined : width - 2);
}

const schemaRows = ({ schemas }: ExplainedPass): string[] =>
  schemas.flatMap(({ policy, mode, rule, problems }) => {
    const whose = oneLine(rule.startsWith('(') ? rule : `${policy} ${rule}`) + inShadow(mode);
    return problems.length === 0 ? [`${whose}: fit`] : problems.map((problem) => `${whose}: ${oneLine(problem)}`);
  });

function limitRow({ counter, window, sliding, max, amount, used, left, resetsAt }: ExplainedLimit): string {
  const span = sliding ? `${window}, sliding` : window;
  const until = resetsAt === null ? '' : `, resets at ${resetsAt}`;
  return oneLine(`"${counter}": adds ${amount}; ${used} of ${max} per ${span} used, ${left} left${until}`);
}

function verdictLine({ effect, policy, rule, reason }: ExplainedVerdict, { paint }: Output): string {
  const [style, word] = SIGNS[effect];
  return `${paint(style, word)} ${verdictText({ policy, rule, reason })}`;
}

/** What the documents would decide about a name that does not exist. */
function ifThereLines({ data }: ExplainedVerdict, out: Output): string[] {
  const { ifThere } = data;
  return ifThere === undefined ? [] : [`If it were there: ${verdictLine(ifThere as ExplainedVerdict, out)}`];
}

export const verdictText = ({ policy, rule, reason }: Pick<ExplainedVerdict, 'policy' | 'rule' | 'reason'>): string =>
  oneLine(`by ${policy === null ? '' : `${policy} `}${rule}: ${reason}`);
