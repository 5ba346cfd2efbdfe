/**
 * A kind of server that the gateway does not come with, in one file: everything an adapter has to do, and nothing else.
 * @module
 */
import { z } from 'zod';
import {
  type Adapter,
  type AgentCallParams,
  type Call,
  type CatalogKind,
  type ConnectContext,
  type Entry,
  GATEWAY_IDENTITY,
  type Identity,
  type JsonObject,
  type Reply,
  SwitchboardError,
  type Upstream,
} from '../../../src/adapter.ts';

export const toyAdapter: Adapter = {
  kind: 'toy',
  label: 'Toy',
  urlHint: 'it is the address of the toy box',
  transports: ['http', 'auto'],
  detectRank: 30,
  options: { greeting: z.string().min(1).default('Hello').meta({ description: 'How its tools begin.' }) },
  listsWhatItDeclares: false,
  speaksMcp: false,
  agents: { continuations: ['again'] },
  async detect(url, { headers, signal }) {
    try {
      const reply = await fetch(new URL('toy', url), { headers, signal });
      return reply.ok && typeof ((await reply.json()) as JsonObject).toy === 'string';
    } catch {
      return false;
    }
  },
  async connect(context) {
    const toy = new ToyUpstream(context);
    await toy.ping(context.signal);
    return toy;
  },
};

class ToyUpstream implements Upstream {
  readonly kind = 'toy';
  readonly transport = 'http';
  readonly era = 'legacy';
  readonly protocolVersion = '1.0';
  readonly capabilities = {};
  readonly serverInfo = { name: 'toy', version: '1.0' };
  readonly instructions = undefined;
  readonly #context: ConnectContext;
  readonly #closed = new AbortController();
  #isDown = false;

  constructor(context: ConnectContext) {
    this.#context = context;
  }

  async catalog(kind: CatalogKind, signal: AbortSignal): Promise<{ entries: Entry[] }> {
    if (kind === 'agents') return { entries: [{ key: 'parrot', value: { name: 'parrot' } }] };
    if (kind !== 'tools') return { entries: [] };
    const names = (await this.#send('tools', signal)) as string[];
    return { entries: names.map((name) => ({ key: name, value: { name, inputSchema: { type: 'object' } } })) };
  }

  async request(method: string, params: JsonObject, call: Call): Promise<Reply> {
    if (method === 'agents/call') {
      const { messages, options } = params as AgentCallParams;
      return { value: { status: 'completed', text: String(options?.again ?? messages.at(-1)?.content) } };
    }
    if (method !== 'tools/call') throw new SwitchboardError('SWB_METHOD_NOT_FOUND', `Toys do not know '${method}'.`);
    const { words = '' } = (params.arguments ?? {}) as JsonObject;
    const { greeting } = this.#context.options;
    call.signal.throwIfAborted();
    call.left?.();
    const sent = { tool: params.name, greeting, words };
    const { text, error } = (await this.#send('call', call.signal, sent, call.caller.identity)) as JsonObject;
    return { value: { content: [{ type: 'text', text: text ?? error }], ...(error ? { isError: true } : {}) } };
  }

  listen(): { close(): void } {
    return { close() {} };
  }

  async ping(signal: AbortSignal): Promise<void> {
    await this.#send('toy', signal);
  }

  async close(): Promise<void> {
    this.#closed.abort(new SwitchboardError('SWB_UPSTREAM_UNAVAILABLE', 'The connection to the toy was closed.'));
  }

  /** Requests of no client carry the gateway's own credentials. */
  async #send(
    path: string,
    signal: AbortSignal,
    body?: JsonObject,
    identity: Identity = GATEWAY_IDENTITY,
  ): Promise<unknown> {
    const { target, credentials, guard, maxReplyBytes, onDown } = this.#context;
    if (target.transport === 'stdio') throw new SwitchboardError('SWB_CONFIG', 'A toy needs a url, not a command.');
    const url = new URL(path, target.url);
    const either = AbortSignal.any([signal, this.#closed.signal]);
    try {
      await guard?.check(url);
      either.throwIfAborted();
      const post = body && { method: 'POST', body: JSON.stringify(body) };
      const headers = { ...(await credentials.headersFor(identity)) };
      const reply = await fetch(url, { ...post, headers, redirect: 'error', signal: either });
      let text = '';
      for await (const chunk of reply.body?.pipeThrough(new TextDecoderStream()) ?? []) {
        text += chunk;
        if (text.length > maxReplyBytes) throw new SwitchboardError('SWB_REPLY_TOO_LARGE', 'The toy says too much.');
      }
      return JSON.parse(text);
    } catch (error) {
      if (either.aborted) throw either.reason;
      if (error instanceof SwitchboardError) throw error;
      const gone = new SwitchboardError('SWB_UPSTREAM_UNAVAILABLE', 'The toy does not answer.');
      if (!this.#isDown) onDown(gone);
      this.#isDown = true;
      throw gone;
    }
  }
}
