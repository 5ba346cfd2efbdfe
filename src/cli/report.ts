/**
 * Prints the error of a command that failed, and finds its exit code.
 * @module
 */
import { redactText } from '../config/redact.ts';
import { SwitchboardError, toRpcError, UpstreamError } from '../core/errors.ts';
import { EXIT, type ExitCode, exitCodeOfError, Interrupted, OutputClosed, UsageError } from './exit.ts';
import { safeText } from './format/text.ts';
import type { Output } from './output.ts';

/** Prints the error (with `--json`, as `{"error": …}` on stdout) and gives the exit code. */
export function report(error: unknown, out: Output, json: boolean): ExitCode {
  if (error instanceof OutputClosed) return EXIT.ok;
  if (error instanceof Interrupted) return EXIT.interrupted;
  const code = isPortTaken(error) ? EXIT.unreachable : exitCodeOfError(error);
  const { message, details } = describe(error);
  if (json) out.json({ error: { message, ...details } });
  else out.note(`${out.paintNote('red', 'error')} ${out.hint(safeText(message))}`);
  return code;
}

function describe(error: unknown): { message: string; details: object } {
  if (isPortTaken(error)) {
    const message = `${redactText(error.message)} --port chooses another, --port 0 any that is free.`;
    return { message, details: error.data };
  }
  if (error instanceof SwitchboardError) return { message: configText(error), details: error.data };
  if (error instanceof UpstreamError) {
    const { message, ...details } = toRpcError(error);
    return { message: redactText(message), details };
  }
  if (error instanceof UsageError) return { message: error.message, details: { code: 'USAGE' } };
  // A bug: the stack shows where.
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return { message: `Unexpected fault: ${redactText(text)}`, details: { code: 'SWB_INTERNAL' } };
}

/** Puts several mistakes below a line that counts them. */
function configText({ code, message }: SwitchboardError): string {
  const lines = message.split('\n');
  if (code !== 'SWB_CONFIG' || lines.length === 1 || lines[1]?.startsWith('  ')) return redactText(message);
  return `The configuration has ${lines.length} mistakes; nothing was started.\n${lines.map((line) => `  ${line}`).join('\n')}`;
}

/** Whether listening failed because another process has the port. */
function isPortTaken(error: unknown): error is SwitchboardError {
  return error instanceof SwitchboardError && (error.cause as NodeJS.ErrnoException | undefined)?.code === 'EADDRINUSE';
}
