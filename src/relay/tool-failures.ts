/**
 * Failures of tools that the gateway itself offers (the builtin ones and those of agents) as results with `isError`, which a
 * model can read (2025-11-25 and 2026-07-28 server/tools, "Error Handling"): a sentence for the model, and the same for
 * scripts in `_meta["switchboard/error"]`.
 * @module
 */
import { SwitchboardError, type UpstreamError } from '../core/errors.ts';
import type { JsonObject } from '../wire/jsonrpc.ts';

/** Not in `structuredContent`, which has to fit the tool's output schema. */
const ERROR_META = 'switchboard/error';

export const errorResult = (text: string, error: JsonObject): JsonObject => ({
  content: [{ type: 'text', text }],
  isError: true,
  _meta: { [ERROR_META]: error },
});

/** `code` is one of ours, or `UPSTREAM_ERROR` with the upstream's own number. */
export function failureResult(error: SwitchboardError | UpstreamError): JsonObject {
  if (!(error instanceof SwitchboardError)) {
    const described: JsonObject = { code: 'UPSTREAM_ERROR', message: error.message, rpcCode: error.rpcCode };
    if (error.data !== undefined) described.data = error.data;
    return errorResult(error.message, described);
  }
  const wait = error.retryAfterMs;
  const text =
    wait === undefined ? error.message : `${error.message} Trying again makes sense after ${inSeconds(wait)}.`;
  return errorResult(text, { ...error.data, message: error.message });
}

/** `problems`: where, and what was found and is allowed there. */
export function argumentsResult(
  tool: string,
  problems: readonly { readonly path: string; readonly problem: string }[],
): JsonObject {
  const lines = problems.map(({ path, problem }) => `- ${path}: ${problem}`);
  const message = `The arguments of ${tool} do not fit. Nothing was called.`;
  return errorResult([message, ...lines].join('\n'), { code: 'SWB_INVALID_PARAMS', message, problems: [...problems] });
}

const inSeconds = (ms: number): string => `${Math.max(0.1, Math.round(ms / 100) / 10)} s`;
