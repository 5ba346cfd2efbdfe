/**
 * Legacy client, modern upstream: `input_required` becomes requests to the client, and its responses a new request
 * upstream, round by round (2026-07-28 basic/patterns/mrtr, client requirements).
 * @module
 */
import type { Ask } from '../../core/call.ts';
import { RPC, SwitchboardError, UpstreamError } from '../../core/errors.ts';
import type { Reply } from '../../core/upstream.ts';
import { isObject, type JsonObject } from '../../wire/jsonrpc.ts';
import type { RelayCall } from '../call.ts';
import { declares, declaresAny, requiredFor, unsupported } from './capabilities.ts';

/** An upstream that asks for more than this many rounds is given up. */
export const MAX_ROUNDS = 16;

const ASKS: ReadonlySet<string> = new Set(['elicitation/create', 'sampling/createMessage', 'roots/list']);

/**
 * Sends the request, and again with responses, until the upstream is done. `send` gets params of its own each time. Where
 * the client answers an ask with an error, a tool fails with it, as it does in a server that asks the client itself.
 */
export async function answerInRounds(
  call: RelayCall,
  method: string,
  params: JsonObject,
  send: (params: JsonObject) => Promise<Reply>,
): Promise<Exclude<Reply, { inputRequired: JsonObject }>> {
  let next = params;
  for (let round = 0; round < MAX_ROUNDS; round++) {
    let reply: Reply;
    try {
      // The adapter may change what it is given; the next round needs the original.
      reply = await send({ ...next });
    } catch (error) {
      // Legacy revisions have no such error, and servers of both eras fail the tool with the same words.
      if (method === 'tools/call' && lacksAsks(error)) return toolError(error.message);
      throw error;
    }
    if (!('inputRequired' in reply)) return reply;
    const { inputRequests, requestState } = reply.inputRequired;
    next = { ...params };
    if (requestState !== undefined) next.requestState = requestState;
    else delete next.requestState;
    if (isObject(inputRequests)) {
      const lacking = undeclaredAsk(call.caller.capabilities, inputRequests);
      if (lacking) {
        await refuse(params, reply.inputRequired, send);
        // As from a server that would have asked the client itself.
        if (method === 'tools/call') return toolError(unsupported(lacking));
      }
      try {
        next.inputResponses = await askAll(call, inputRequests);
      } catch (error) {
        if (method === 'tools/call' && error instanceof UpstreamError) return failedAsk(error);
        throw error;
      }
    } else if (requestState === undefined) break;
  }
  throw new SwitchboardError('SWB_UPSTREAM_PROTOCOL', 'The server keeps asking for input without end.');
}

/** A server's error that the client cannot be asked for something. */
function lacksAsks(error: unknown): error is UpstreamError {
  if (!(error instanceof UpstreamError) || error.rpcCode !== RPC.missingClientCapability) return false;
  const required = isObject(error.data) ? error.data.requiredCapabilities : undefined;
  return isObject(required) && declaresAny(required);
}

/** In the words of the official SDK. */
const failedAsk = ({ rpcCode, message }: UpstreamError): { value: JsonObject } =>
  toolError(`The client cannot give the input: MCP error ${rpcCode}: ${message}`);

const toolError = (text: string): { value: JsonObject } => ({
  value: { content: [{ type: 'text', text }], isError: true },
});

/** The capabilities that these input requests need and the client did not declare; undefined: none is missing. */
export function undeclaredIn(capabilities: JsonObject, inputRequests: JsonObject): JsonObject | undefined {
  let undeclared: JsonObject | undefined;
  for (const ask of asksIn(inputRequests)) {
    if (!declares(capabilities, ask)) undeclared = { ...undeclared, ...requiredFor(ask) };
  }
  return undeclared;
}

/** The first of these input requests for which the client lacks a capability. */
function undeclaredAsk(capabilities: JsonObject, inputRequests: JsonObject): Ask | undefined {
  return asksIn(inputRequests).find((ask) => !declares(capabilities, ask));
}

function asksIn(inputRequests: JsonObject): Ask[] {
  return Object.values(inputRequests).flatMap((request) => {
    if (!isObject(request) || typeof request.method !== 'string' || !ASKS.has(request.method)) return [];
    return { method: request.method as Ask['method'], params: isObject(request.params) ? request.params : {} };
  });
}

/**
 * Declines input requests in place of a client that must not be asked, so that the server can end what it began. Its result
 * does not matter: the client receives the error about the capability. Only elicitations can be declined; for others the
 * request is not sent again, which is a client's way to refuse them.
 */
export async function refuse(
  params: JsonObject,
  { inputRequests, requestState }: JsonObject,
  send: (params: JsonObject) => Promise<unknown>,
): Promise<void> {
  if (!isObject(inputRequests)) return;
  const declined: JsonObject = {};
  for (const [key, request] of Object.entries(inputRequests)) {
    if (!isObject(request) || request.method !== 'elicitation/create') return;
    declined[key] = { action: 'decline' };
  }
  const { requestState: _, ...original } = params;
  const state = requestState === undefined ? {} : { requestState };
  try {
    await send({ ...original, ...state, inputResponses: declined });
  } catch {
    // The server gave up, as it may.
  }
}

/** Sends several input requests to the client at once. Throws for one whose capability it did not declare. */
export async function askAll(call: RelayCall, inputRequests: JsonObject): Promise<JsonObject> {
  const asks = Object.entries(inputRequests).map(([key, request]): [string, Ask] => {
    if (!isObject(request) || typeof request.method !== 'string' || !ASKS.has(request.method)) {
      throw new SwitchboardError('SWB_UPSTREAM_PROTOCOL', 'The server asked for input of an unknown kind.');
    }
    const ask = { method: request.method as Ask['method'], params: isObject(request.params) ? request.params : {} };
    if (!declares(call.caller.capabilities, ask)) {
      throw new SwitchboardError('SWB_MISSING_CLIENT_CAPABILITY', `The server needs '${ask.method}' from the client.`, {
        data: { requiredCapabilities: requiredFor(ask) },
      });
    }
    return [key, ask];
  });
  const responses = await Promise.all(asks.map(async ([key, ask]) => [key, await call.ask(ask)] as const));
  return Object.fromEntries(responses);
}
