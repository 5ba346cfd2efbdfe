/**
 * An end client of 2026-07-28: an envelope in every request, questions as interim results. What this revision obliges a
 * client to (headers, sending again) it does for the gateway's endpoint; where that is also what the suite looks for
 * behind the gateway, the legacy end client is the proof.
 * @module
 */
import { META } from '../../../src/wire/envelope.ts';
import { encodeHeaderValue, mcpNameOf } from '../../../src/wire/headers.ts';
import { isObject, type JsonObject } from '../../../src/wire/jsonrpc.ts';
import { buildParamHeaders, readParamHeaders } from '../../../src/wire/param-headers.ts';
import { answerTo, CAPABILITIES, CLIENT_INFO, type EndClient, post, resultOf } from './end-client.ts';

const REVISION = '2026-07-28';
const MAX_ROUNDS = 8;

const ENVELOPE: JsonObject = {
  [META.protocolVersion]: REVISION,
  [META.clientInfo]: CLIENT_INFO,
  [META.clientCapabilities]: CAPABILITIES,
};

export class ModernEndClient implements EndClient {
  readonly #url: string;
  readonly #own: Readonly<Record<string, string>>;
  readonly #schemas = new Map<string, unknown>();
  #nextId = 1;

  /** `own`: headers of this client, sent with each request. */
  constructor(url: string, own: Readonly<Record<string, string>> = {}) {
    this.#url = url;
    this.#own = own;
  }

  async open(): Promise<void> {
    await this.#send('server/discover', {});
  }

  async request(method: string, params: JsonObject = {}): Promise<JsonObject> {
    let sent = params;
    for (let round = 0; round < MAX_ROUNDS; round++) {
      const result = await this.#send(method, sent);
      if (method === 'tools/list') this.#learn(result);
      if (result.resultType !== 'input_required') return result;
      sent = { ...params, inputResponses: answersTo(result.inputRequests) };
      if (result.requestState !== undefined) sent.requestState = result.requestState;
    }
    throw new Error(`${method}: the server asks without end`);
  }

  async close(): Promise<void> {}

  async #send(method: string, params: JsonObject): Promise<JsonObject> {
    const headers: Record<string, string> = { ...this.#own, 'mcp-protocol-version': REVISION, 'mcp-method': method };
    const name = mcpNameOf(method, params);
    if (name !== undefined) headers['mcp-name'] = encodeHeaderValue(name);
    const declared = method === 'tools/call' ? readParamHeaders(this.#schemas.get(params.name as string)) : [];
    if (typeof declared !== 'string') Object.assign(headers, buildParamHeaders(declared, params.arguments));
    const body = { jsonrpc: '2.0', id: this.#nextId++, method, params: { ...params, _meta: ENVELOPE } };
    return resultOf(await post({ url: this.#url, headers, body }), method);
  }

  #learn({ tools }: JsonObject): void {
    for (const tool of Array.isArray(tools) ? tools : []) {
      if (isObject(tool)) this.#schemas.set(String(tool.name), tool.inputSchema);
    }
  }
}

function answersTo(inputRequests: unknown): JsonObject {
  const asked = Object.entries(isObject(inputRequests) ? inputRequests : {}) as [string, JsonObject][];
  return Object.fromEntries(asked.map(([key, { method, params }]) => [key, answerTo(method, params)]));
}
