/**
 * The load of a chaos run: clients of both eras that call, one call after the other, and write down what became of each.
 * @module
 */
import { setTimeout as pause } from 'node:timers/promises';
import { connectClient } from '../e2e/clients.ts';
import { inSession, modernRequest, openSession, type RawReply, type RawRequest, send } from '../e2e/raw.ts';
import { ADMIN, LIMITED, type World } from './world.ts';

/**
 * No client waits longer. An answer that is lost never comes; one that comes late says how busy the machine is, and how long others were
 * suspended.
 */
export const ANSWER_MS = 240_000;

export type Outcome =
  | 'ok'
  /** An error of MCP, or a result that is one. */
  | 'error'
  /** An HTTP error or a connection that broke: the client knows that it gets no reply. */
  | 'cut'
  /** The client ended it. */
  | 'aborted'
  /** The reply ended well and held no answer. */
  | 'nothing'
  /** Neither came within {@link ANSWER_MS}. */
  | 'silence';

export interface Call {
  id: string;
  tool: string;
  outcome: Outcome;
  /** The `SWB_…` name or number of the error. */
  code: string;
  ms: number;
  /** When it began, in milliseconds since the load did. */
  at: number;
  /** Who made it. */
  client: string;
}

type Random = () => number;

export class Load {
  readonly calls: Call[] = [];
  readonly #world: World;
  readonly #random: Random;
  readonly #stopping = new AbortController();
  /** Aborted, and made anew, to drop connections of clients. */
  #connections = new AbortController();
  #workers: Promise<void>[] = [];
  #next = 0;
  readonly #begunAt = performance.now();

  constructor(world: World, random: Random) {
    this.#world = world;
    this.#random = random;
  }

  start(clients: number): void {
    const kinds = [this.#modern, this.#legacy, this.#modern, this.#asked, this.#legacy, this.#approved, this.#official];
    for (let i = 0; i < clients; i++) {
      const kind = kinds[i % kinds.length] as () => Promise<void>;
      this.#workers.push(this.#again(kind.bind(this)));
    }
  }

  /** Ends the connections of clients with calls under way. */
  drop(): void {
    this.#connections.abort();
    this.#connections = new AbortController();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await Promise.all(this.#workers);
  }

  async #again(work: () => Promise<void>): Promise<void> {
    while (!this.#stopping.signal.aborted) {
      await work().catch(() => {});
      await pause(5 + this.#random() * 40);
    }
  }

  #tool(): string {
    const dice = this.#random();
    if (dice < 0.4) return 'pay';
    if (dice < 0.6) return 'slow';
    return LIMITED[Math.floor(this.#random() * LIMITED.length)] as string;
  }

  #call(): { id: string; tool: string; args: { id: string; ms: number } } {
    const id = `c${++this.#next}`;
    const tool = this.#tool();
    return { id, tool, args: { id, ms: tool === 'slow' ? Math.floor(this.#random() * 1_500) : 0 } };
  }

  /** Limits are those of one server. */
  #serverOf(tool: string): string {
    return tool.startsWith('limited_') || this.#random() < 0.5 ? 'modern' : 'legacy';
  }

  /** Sends it and writes down what became of it. Gives the reply, where there is one. */
  async sent(of: { id: string; tool: string; client: string }, request: RawRequest): Promise<RawReply | undefined> {
    const begun = performance.now();
    const signal = AbortSignal.any([this.#connections.signal, AbortSignal.timeout(ANSWER_MS)]);
    const note = (outcome: Outcome, code = ''): void =>
      void this.calls.push({ ...of, outcome, code, ms: performance.now() - begun, at: begun - this.#begunAt });
    const dropped = this.#connections.signal;
    try {
      const reply = await send(this.#world.balancer.url, { ...request, signal });
      const { result, error } = reply.message;
      const failure = (result?._meta as Record<string, { code?: string }> | undefined) ?? {};
      const code = error
        ? String(error.data?.code ?? error.code)
        : (failure['switchboard/denial']?.code ?? failure['switchboard/error']?.code ?? 'isError');
      if (error || result?.isError) note('error', code);
      else if (result) note('ok');
      else if (reply.status >= 400) note('cut', String(reply.status));
      else note('nothing', String(reply.status));
      return reply;
    } catch {
      if (dropped.aborted) note('aborted');
      else note(performance.now() - begun >= ANSWER_MS ? 'silence' : 'cut');
      return undefined;
    }
  }

  async #modern(): Promise<void> {
    const call = this.#call();
    const server = this.#serverOf(call.tool);
    await this.sent(
      { ...call, client: 'modern' },
      modernRequest('tools/call', { name: `${server}__${call.tool}`, arguments: call.args }),
    );
  }

  /** A session for as long as it lasts. */
  async #legacy(): Promise<void> {
    const session = await openSession(this.#world.balancer.url);
    for (let i = 0; i < 40 && !this.#stopping.signal.aborted; i++) {
      const call = this.#call();
      const server = this.#serverOf(call.tool);
      const params = { name: `${server}__${call.tool}`, arguments: call.args };
      const reply = await this.sent({ ...call, client: 'legacy' }, inSession(session, 'tools/call', params, call.id));
      if (reply?.status === 404) return;
      await pause(this.#random() * 30);
    }
  }

  /** A call that asks, and its answer in the next round. */
  async #asked(): Promise<void> {
    const capabilities = { elicitation: { form: {} } };
    const of = { id: `c${++this.#next}`, tool: 'ask', client: 'modern, asked' };
    const round = (more: object): RawRequest =>
      modernRequest('tools/call', { name: 'asking__ask', arguments: {}, ...more }, { capabilities });
    const asked = await this.sent(of, round({}));
    const { requestState, inputRequests } = asked?.message.result ?? {};
    const [question] = Object.keys((inputRequests as object | undefined) ?? {});
    if (question === undefined) return;
    const inputResponses = { [question]: { action: 'accept', content: { name: 'Ada' } } };
    await this.sent({ ...of, id: `c${++this.#next}` }, round({ requestState, inputResponses }));
  }

  /** A call that an operator approves at any replica; three clients then make it at once. */
  async #approved(): Promise<void> {
    const id = `c${++this.#next}`;
    const of = { id, tool: 'approved', client: 'modern, approved' };
    const request = modernRequest('tools/call', { name: 'modern__approved', arguments: { id } });
    const reply = await this.sent(of, request);
    const denial = (reply?.message.result?._meta as Record<string, { approvalId?: string }> | undefined)?.[
      'switchboard/denial'
    ];
    if (denial?.approvalId === undefined) return;
    const approve = this.#world.balancer.at(`/admin/approvals/${denial.approvalId}/approve`);
    const headers = { authorization: `Bearer ${ADMIN}`, 'content-type': 'application/json' };
    const signal = AbortSignal.timeout(ANSWER_MS);
    await fetch(approve, { method: 'POST', headers, body: '{}', signal }).then((decided) => decided.text());
    await Promise.all([1, 2, 3].map(() => this.sent(of, request)));
  }

  /** A client of one of the official SDKs, which has its own ideas of connections that break. */
  async #official(): Promise<void> {
    const kinds = ['v1', 'v2-legacy', 'v2-modern'] as const;
    const kind = kinds[Math.floor(this.#random() * kinds.length)] as (typeof kinds)[number];
    const client = await connectClient(kind, { http: this.#world.balancer.url });
    try {
      for (let i = 0; i < 10 && !this.#stopping.signal.aborted; i++) {
        const { id, tool, args } = this.#call();
        const begun = performance.now();
        const signal = this.#connections.signal;
        const outcome = await client.call(`modern__${tool}`, args, { signal }).then(
          ({ isError }) => (isError ? 'error' : 'ok'),
          () => 'cut',
        );
        const [ms, at] = [performance.now() - begun, begun - this.#begunAt];
        this.calls.push({ id, tool, outcome: outcome as Outcome, code: 'sdk', ms, at, client: kind });
        if (outcome === 'cut') return;
      }
    } finally {
      await client.close().catch(() => {});
    }
  }
}
