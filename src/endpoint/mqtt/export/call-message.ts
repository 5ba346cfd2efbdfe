/**
 * Reads a call of a tool from a message on its topic.
 * @module
 */
import { SwitchboardError } from '../../../core/errors.ts';
import { member, skipWhitespace } from '../../../wire/json/scan.ts';
import { isObject, type JsonObject, type Request } from '../../../wire/jsonrpc.ts';
import type { BrokerMessage } from '../../../wire/mqtt/index.ts';
import { isLevel, isResponsesTopic, responsesTopic } from '../../../wire/mqtt/tool-topics.ts';
import { parseJson } from '../../messages.ts';

/** Where a response goes, and how its receiver tells what it responds to. */
export interface ReturnAddress {
  callId: string;
  topic: string;
  correlation: Buffer | undefined;
}

export interface CallMessage {
  /** Undefined: there is no topic to answer on. `refused` says why. */
  from: ReturnAddress | undefined;
  refused: string | undefined;
  /** Reads the request. Throws the error that the caller gets. */
  request(tool: string, id: number): Request;
}

const MAX_CALL_ID = 256;

/**
 * The response goes to the topic that the message names, by property or, of MQTT 3.1.1, in its payload, but never outside of
 * those of the namespace's clients: results must not be published wherever a caller wants.
 */
export function readCall(message: BrokerMessage, namespace: string): CallMessage {
  const { payload, properties, truncated } = message;
  const correlation = properties?.correlationData;
  let parsed: unknown;
  let failure: unknown;
  try {
    if (truncated) throw new SwitchboardError('SWB_BODY_TOO_LARGE', 'The call is larger than the gateway takes.');
    parsed = parseJson(payload);
    if (!isObject(parsed)) throw new SwitchboardError('SWB_INVALID_PARAMS', 'The call is no JSON object.');
  } catch (error) {
    failure = error;
  }
  const call = isObject(parsed) ? parsed : {};
  const callId = callIdOf(call.call_id, correlation);
  const topic = properties?.responseTopic ?? topicOf(call, namespace);
  const refused =
    callId === undefined
      ? 'a call without a call_id'
      : topic === undefined || !isResponsesTopic(namespace, topic)
        ? 'a call whose response topic is none of a client of the namespace'
        : undefined;
  return {
    from:
      refused === undefined && callId !== undefined && topic !== undefined ? { callId, topic, correlation } : undefined,
    refused,
    request(tool, id) {
      if (failure !== undefined) throw failure;
      return requestOf(payload, call, tool, id);
    },
  };
}

function callIdOf(written: unknown, correlation: Buffer | undefined): string | undefined {
  // What cannot be parsed is answered by the correlation data, which is the call's id in every program there is.
  const id = typeof written === 'string' ? written : correlation?.toString('utf8');
  return id !== undefined && id !== '' && id.length <= MAX_CALL_ID ? id : undefined;
}

function topicOf({ response_topic: topic, client }: JsonObject, namespace: string): string | undefined {
  if (typeof topic === 'string') return topic;
  return typeof client === 'string' && isLevel(client) ? responsesTopic(namespace, client) : undefined;
}

/** The call as a request of MCP, with the arguments as they were written. */
function requestOf(payload: Buffer, { arguments: args }: JsonObject, tool: string, id: number): Request {
  if (args !== undefined && args !== null && !isObject(args)) {
    throw new SwitchboardError('SWB_INVALID_PARAMS', 'arguments must be an object.');
  }
  const span = isObject(args) ? member(payload, skipWhitespace(payload, 0), 'arguments') : undefined;
  const written = span ? payload.toString('utf8', span.start, span.end) : '{}';
  const params = `{"name":${JSON.stringify(tool)},"arguments":${written},"_meta":{"progressToken":${id}}}`;
  return parseJson(Buffer.from(`{"jsonrpc":"2.0","id":${id},"method":"tools/call","params":${params}}`)) as Request;
}
