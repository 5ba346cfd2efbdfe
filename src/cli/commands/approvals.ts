/**
 * `switchboard approvals list|show|approve|deny`: lists and decides calls that wait for approval. Talks to the
 * running gateway and starts none.
 * @module
 */
import { userInfo } from 'node:os';
import type { ApprovalJson } from '../../endpoint/admin/approvals.ts';
import { type AdminClient, adminClient, type ListedApproval } from '../admin-client.ts';
import { EXIT, type ExitCode } from '../exit.ts';
import { table } from '../format/table.ts';
import { oneLine, safeText } from '../format/text.ts';
import type { Io } from '../io.ts';
import { createOutput, type Output } from '../output.ts';
import { type GlobalOptions, interruptible, loadForRunning } from '../session.ts';

export interface ApprovalsOptions extends GlobalOptions {
  url?: string;
  /** `list`: those that are decided or over, too. */
  all?: boolean;
  note?: string;
}

interface Context {
  client: AdminClient;
  out: Output;
  options: ApprovalsOptions;
}

export const listApprovals = (options: ApprovalsOptions, io: Io): Promise<ExitCode> =>
  withAdmin(options, io, async ({ client, out }) => {
    const approvals = await client.list(options.all ? 'all' : 'pending');
    if (options.json) out.json({ approvals });
    else if (approvals.length === 0) out.print(options.all ? 'There are no approvals.' : 'Nothing waits for approval.');
    else printList(out, approvals, options.all === true);
  });

export const showApproval = (id: string, options: ApprovalsOptions, io: Io): Promise<ExitCode> =>
  withAdmin(options, io, async ({ client, out }) => {
    const approval = await client.show(id);
    if (options.json) out.json(approval);
    else out.print(shownLines(approval));
  });

export const decideApproval = (
  effect: 'approve' | 'deny',
  id: string,
  options: ApprovalsOptions,
  io: Io,
): Promise<ExitCode> =>
  withAdmin(options, io, async ({ client, out }) => {
    const { note } = options;
    const approval = await client.decide(id, effect, { by: userName(), ...(note === undefined ? {} : { note }) });
    if (options.json) out.json(approval);
    else out.print(decidedLine(approval));
  });

async function withAdmin(
  options: ApprovalsOptions,
  io: Io,
  work: (context: Context) => Promise<void>,
): Promise<ExitCode> {
  const out = createOutput(io, options.color);
  const interrupt = interruptible(io);
  try {
    const config = await loadForRunning(options, io);
    config.warnings.forEach(out.warn);
    await work({ client: await adminClient(config, options.url, interrupt.signal), out, options });
    return EXIT.ok;
  } finally {
    interrupt.stop();
  }
}

function printList(out: Output, approvals: readonly ListedApproval[], states: boolean): void {
  const columns = ['ID', ...(states ? ['STATE'] : []), 'SERVER', 'NAME', 'WHO', 'EXPIRES', 'REASON'];
  const rows = approvals.map((approval) => [
    oneLine(approval.id),
    ...(states ? [oneLine(approval.state)] : []),
    oneLine(approval.server),
    oneLine(approval.name),
    oneLine(approval.principal),
    isOver(approval) ? '-' : inWords(approval.expiresAt),
    oneLine(approval.reason),
  ]);
  out.print(table(columns, rows, out.width));
}

const WORDS: Readonly<Record<string, string>> = {
  tools: 'tool',
  prompts: 'prompt',
  resources: 'resource',
  agents: 'agent',
  methods: 'method',
};

function shownLines(approval: ApprovalJson): string[] {
  const { state, by, note, expiresAt } = approval;
  const lines: [string, string][] = [
    ['id', approval.id],
    ['state', by === undefined ? state : `${state}, by ${by}`],
    ['server', approval.server],
    [WORDS[approval.section] ?? approval.section, approval.name],
    ['asked by', approval.principal],
    ['rule', `${approval.rule} of ${approval.policy}`],
    ['reason', approval.reason],
    [approval.argumentsShortened ? 'arguments (shortened)' : 'arguments', approval.arguments],
    ['asked', inWords(approval.createdAt)],
    ['expires', isOver(approval) ? '-' : `${inWords(expiresAt)} (${expiresAt})`],
  ];
  if (note !== undefined) lines.push(['note', note]);
  const width = Math.max(...lines.map(([title]) => title.length));
  return lines.map(([title, text]) => `${title.padEnd(width)}  ${safeText(text).replaceAll('\n', ' ')}`);
}

function decidedLine({ id, state, server, name, expiresAt }: ApprovalJson): string {
  const what = `${oneLine(server)} ${oneLine(name)}`;
  const until = inWords(expiresAt);
  return state === 'approved'
    ? `Approved ${oneLine(id)}: ${what} goes through once when it is tried again; this expires ${until}.`
    : `Denied ${oneLine(id)}: ${what} is refused when it is tried again; this expires ${until}.`;
}

const isOver = ({ state }: Pick<ApprovalJson, 'state'>): boolean => state === 'expired' || state === 'spent';

const UNITS: readonly [unit: Intl.RelativeTimeFormatUnit, seconds: number][] = [
  ['day', 86_400],
  ['hour', 3_600],
  ['minute', 60],
];

/** `in 4 minutes`, `2 hours ago`. */
export function inWords(instant: string, now = Date.now()): string {
  const seconds = (Date.parse(instant) - now) / 1_000;
  const words = new Intl.RelativeTimeFormat('en', { numeric: 'always' });
  for (const [unit, length] of UNITS) {
    if (Math.abs(seconds) >= length) return words.format(Math.trunc(seconds / length), unit);
  }
  return words.format(Math.trunc(seconds), 'second');
}

/** The name of the system's user, as the one who decided. */
function userName(): string {
  try {
    return userInfo().username.slice(0, 128);
  } catch {
    // A user id without a name, as containers have.
    return `uid ${process.getuid?.() ?? 'unknown'}`;
  }
}
