/**
 * Failures of the gateway's own tools as tool results: a sentence for the model, and the same for scripts in
 * `_meta["switchboard/error"]`. Not in `structuredContent`, which has to fit the tool's output schema.
 * @module
 */
import { SwitchboardError, type UpstreamError } from '../core/errors.ts';
import type { JsonObject } from '../wire/jsonrpc.ts';
import type { ArgumentProblem } from './arguments.ts';

export const ERROR_META = 'switchboard/error';

const errorResult = (text: string, error: JsonObject): JsonObject => ({
  content: [{ type: 'text', text }],
  isError: true,
  _meta: { [ERROR_META]: error },
});

/** `code` is one of ours, or `UPSTREAM_ERROR` with the upstream's own number. */
export function failure(error: SwitchboardError | UpstreamError): JsonObject {
  if (!(error instanceof SwitchboardError)) {
    const told: JsonObject = { code: 'UPSTREAM_ERROR', message: error.message, rpcCode: error.rpcCode };
    if (error.data !== undefined) told.data = error.data;
    return errorResult(error.message, told);
  }
  const wait = error.retryAfterMs;
  const text =
    wait === undefined ? error.message : `${error.message} Trying again makes sense after ${inSeconds(wait)}.`;
  return errorResult(text, { ...error.data, message: error.message });
}

export function misfit(tool: string, problems: readonly ArgumentProblem[]): JsonObject {
  const lines = problems.map(({ path, problem }) => `- ${path}: ${problem}`);
  const message = `The arguments of ${tool} do not fit. Nothing was called.`;
  return errorResult([message, ...lines].join('\n'), { code: 'SWB_INVALID_PARAMS', message, problems });
}

const inSeconds = (ms: number): string => `${Math.max(0.1, Math.round(ms / 100) / 10)} s`;
