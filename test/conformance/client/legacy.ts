/**
 * An end client of 2025-11-25: a session, and questions as requests on the stream of their call.
 * @module
 */
import type { JsonObject } from '../../../src/wire/jsonrpc.ts';
import { answerTo, CAPABILITIES, CLIENT_INFO, type EndClient, post, resultOf } from './end-client.ts';

const REVISION = '2025-11-25';

export class LegacyEndClient implements EndClient {
  readonly #url: string;
  readonly #own: Readonly<Record<string, string>>;
  #headers: Record<string, string> = {};
  #nextId = 1;

  /** `own`: headers of this client, sent with each request. */
  constructor(url: string, own: Readonly<Record<string, string>> = {}) {
    this.#url = url;
    this.#own = own;
  }

  async open(): Promise<void> {
    const params = { protocolVersion: REVISION, capabilities: CAPABILITIES, clientInfo: CLIENT_INFO };
    const opened = await this.#post({ jsonrpc: '2.0', id: 0, method: 'initialize', params });
    resultOf(opened, 'initialize');
    this.#headers = {
      'mcp-protocol-version': REVISION,
      'mcp-session-id': opened.headers.get('mcp-session-id') ?? '',
    };
    await this.#post({ jsonrpc: '2.0', method: 'notifications/initialized' });
  }

  async request(method: string, params: JsonObject = {}): Promise<JsonObject> {
    return resultOf(await this.#post({ jsonrpc: '2.0', id: this.#nextId++, method, params }), method);
  }

  async close(): Promise<void> {
    await fetch(this.#url, { method: 'DELETE', headers: { ...this.#own, ...this.#headers } });
  }

  #post(body: unknown) {
    return post({
      url: this.#url,
      headers: { ...this.#own, ...this.#headers },
      body,
      onOther: ({ id, method, params }) => {
        if (id !== undefined) void this.#post({ jsonrpc: '2.0', id, result: answerTo(method, params) });
      },
    });
  }
}
