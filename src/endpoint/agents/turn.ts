/**
 * One turn with an agent for a client of another protocol than MCP: its text as it is made, its questions one at a time, and
 * its end. The turn goes on while a question waits; the client answers with a later request.
 * @module
 */
import type { AgentCallParams, AgentCallResult } from '../../core/agent-call.ts';
import type { Ask } from '../../core/call.ts';
import type { Caller } from '../../core/caller.ts';
import { SwitchboardError } from '../../core/errors.ts';
import type { Identity } from '../../core/identity.ts';
import type { View } from '../../federation/types.ts';
import type { AgentName } from '../../relay/agents/direct-call.ts';
import type { EndpointRelay } from '../../relay/relay.ts';
import { type InFlight, resultObject } from '../../relay/types.ts';
import { LATEST_LEGACY } from '../../wire/eras.ts';
import type { JsonObject } from '../../wire/jsonrpc.ts';

export interface AgentTurnOptions {
  relay: EndpointRelay;
  identity: Identity;
  view: View;
  agent: AgentName;
  /** Without the agent. */
  params: Omit<AgentCallParams, 'agent'>;
  /** The protocol, as the caller's client is named in events and logs. */
  client: string;
  /** Whether the client can be asked: without it agents end as interrupted. */
  asks: boolean;
  /** How long a question waits for its answer. */
  askTimeoutMs: number;
}

/** What a turn comes to next. */
export type TurnEvent =
  | { type: 'text'; text: string }
  | { type: 'question'; params: JsonObject }
  | { type: 'ended'; result: AgentCallResult }
  | { type: 'failed'; error: Error };

export class AgentTurn {
  readonly #events: TurnEvent[] = [];
  readonly #flight: InFlight;
  readonly #askTimeoutMs: number;
  #wake: (() => void) | undefined;
  #question: { resolve(answer: JsonObject): void; timer: NodeJS.Timeout } | undefined;
  over = false;

  constructor({ relay, identity, view, agent, params, client, asks, askTimeoutMs }: AgentTurnOptions) {
    this.#askTimeoutMs = askTimeoutMs;
    const request = {
      jsonrpc: '2.0' as const,
      id: 1,
      method: 'agents/call',
      params: { ...params, stream: true, _meta: { progressToken: 'text' } },
    };
    const channel = {
      notify: ({ method, params: said }: { method: string; params?: JsonObject }): void => {
        if (method === 'notifications/progress' && typeof said?.message === 'string' && said.message !== '') {
          this.#push({ type: 'text', text: said.message });
        }
      },
      ...(asks ? { ask: (ask: Ask): Promise<JsonObject> => this.#ask(ask) } : {}),
    };
    this.#flight = relay.callAgent({ caller: callerOf(identity, client, asks), view, request, channel }, agent);
    this.#flight.result.then(
      (result) => this.#end({ type: 'ended', result: resultObject(result) as AgentCallResult }),
      (error: unknown) =>
        this.#end({ type: 'failed', error: error instanceof Error ? error : new Error(String(error)) }),
    );
  }

  /** What comes next. After a question nothing comes until {@link answer}; after the end nothing at all. */
  async next(): Promise<TurnEvent> {
    for (;;) {
      const event = this.#events.shift();
      if (event) return event;
      if (this.over) return { type: 'failed', error: new SwitchboardError('SWB_CANCELLED', 'The turn is over.') };
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  get waits(): boolean {
    return this.#question !== undefined;
  }

  /** The client's answer to the question: the result of an elicitation. */
  answer(result: JsonObject): void {
    const question = this.#question;
    if (!question) return;
    this.#question = undefined;
    clearTimeout(question.timer);
    question.resolve(result);
  }

  cancel(reason?: string): void {
    this.answer({ action: 'cancel' });
    this.#flight.cancel(reason);
  }

  #ask({ method, params = {}, signal }: Ask): Promise<JsonObject> {
    if (method !== 'elicitation/create' || this.#question) {
      return Promise.reject(new SwitchboardError('SWB_ASK_REFUSED', 'The client cannot be asked for this.'));
    }
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.answer({ action: 'cancel' }), this.#askTimeoutMs);
      this.#question = { resolve, timer };
      signal?.addEventListener('abort', () => this.answer({ action: 'cancel' }), { once: true });
      this.#push({ type: 'question', params });
    });
  }

  #end(event: TurnEvent): void {
    this.over = true;
    if (this.#question) clearTimeout(this.#question.timer);
    this.#question = undefined;
    this.#push(event);
  }

  #push(event: TurnEvent): void {
    const last = this.#events.at(-1);
    // A reader that is slow gets the text in larger pieces.
    if (event.type === 'text' && last?.type === 'text') last.text += event.text;
    else this.#events.push(event);
    this.#wake?.();
    this.#wake = undefined;
  }
}

/** Several callers of one principal share its sessions with servers, as clients of the same key do. */
function callerOf(identity: Identity, client: string, asks: boolean): Caller {
  return {
    key: `${identity.principal}\n${client}`,
    principal: identity.principal,
    identity,
    era: 'legacy',
    protocolVersion: LATEST_LEGACY,
    capabilities: asks ? { elicitation: { form: {}, url: {} } } : {},
    clientInfo: { name: client, version: '1' },
    logLevel: undefined,
    sessionId: undefined,
  };
}
