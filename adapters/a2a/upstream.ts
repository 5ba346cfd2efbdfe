/**
 * A connected A2A agent as an upstream: a server whose catalog is one agent.
 * @module
 */

import type { ConnectContext } from '../../src/core/adapter.ts';
import type { AgentAttachParams, AgentDescription } from '../../src/core/agent-call.ts';
import type { Call } from '../../src/core/call.ts';
import { within } from '../../src/core/deadline.ts';
import { SwitchboardError } from '../../src/core/errors.ts';
import type { CatalogKind, Entry, Reply } from '../../src/core/upstream.ts';
import type { JsonObject } from '../../src/wire/jsonrpc.ts';
import { PolledUpstream } from '../shared/polled-upstream.ts';
import { type A2aApi, parseJson } from './api.ts';
import { attachAgent, type CallContext, callAgent } from './call.ts';
import { type AgentCard, type AgentInterface, readCard } from './card.ts';
import { httpFailure, notA2a } from './failure.ts';
import { readTurn } from './input.ts';
import { ContextOwners } from './owners.ts';
import type { TaskRun } from './run.ts';

const POLL_MS = 60_000;
/** How long closing waits for cancelled tasks to be confirmed. */
const CLOSE_MS = 1_500;

export interface A2aParts {
  context: ConnectContext;
  /** The connection to where the card is. */
  cards: A2aApi;
  place: string;
  /** The connection to the agent. */
  api: A2aApi;
  card: AgentCard;
  to: AgentInterface;
}

export class A2aUpstream extends PolledUpstream {
  readonly kind = 'a2a';
  readonly capabilities: JsonObject = {};
  readonly #cards: A2aApi;
  readonly #place: string;
  readonly #api: A2aApi;
  readonly #to: AgentInterface;
  readonly #owners: ContextOwners;
  readonly #runs = new Set<TaskRun>();
  #card: AgentCard;

  constructor({ context, cards, place, api, card, to }: A2aParts) {
    const serverInfo = card.version === undefined ? undefined : { name: card.name, version: card.version };
    super(context, { lists: ['agents'], pollMs: POLL_MS, version: to.version, serverInfo });
    this.#cards = cards;
    this.#place = place;
    this.#api = api;
    this.#to = to;
    this.#card = card;
    this.#owners = new ContextOwners(context.memory, context.name);
  }

  async request(method: string, params: JsonObject, call: Call): Promise<Reply> {
    this.requireOpen();
    if (call.aborted) throw call.signal.reason;
    switch (method) {
      case 'agents/call': {
        const turn = readTurn(params);
        this.#requireAgent(turn.agent);
        return { value: await this.#watched(callAgent(this.#callContext(), turn, call)) };
      }
      case 'agents/attach':
        return { value: await this.#watched(attachAgent(this.#callContext(), params as AgentAttachParams, call)) };
      case 'agents/describe':
        this.#requireAgent(params.agent);
        return { value: describe(this.#card, this.#to) };
      default:
        throw new SwitchboardError(
          'SWB_NOT_SUPPORTED',
          `Server '${this.context.name}' is an A2A agent: it has no '${method.slice(0, 100)}'.`,
        );
    }
  }

  ping(signal: AbortSignal): Promise<void> {
    this.requireOpen();
    return this.#watched(
      this.#readCard(signal).then(() => {}),
      signal,
    );
  }

  protected async list(_kind: CatalogKind, signal: AbortSignal): Promise<Entry[]> {
    this.#card = await this.#watched(this.#readCard(signal), signal);
    return [{ key: this.#card.key, value: agentValue(this.#card) }];
  }

  protected async end(): Promise<void> {
    const runs = [...this.#runs];
    if (runs.length > 0) {
      const reason = this.disconnected();
      await within(Promise.allSettled(runs.map((run) => run.abandon(reason))), CLOSE_MS, () => undefined);
    }
    await Promise.all([this.#api.close(), this.#cards.close()]);
  }

  #callContext(): CallContext {
    return {
      api: this.#api,
      to: this.#to,
      card: this.#card,
      log: this.context.log,
      owners: this.#owners,
      runs: this.#runs,
    };
  }

  #requireAgent(agent: unknown): void {
    if (agent === this.#card.key || agent === this.#card.name) return;
    const named = typeof agent === 'string' ? agent.slice(0, 200) : '';
    throw new SwitchboardError('SWB_UNKNOWN_AGENT', `Server '${this.context.name}' has no agent '${named}'.`);
  }

  async #readCard(signal: AbortSignal): Promise<AgentCard> {
    const reply = await this.#cards.card(this.#place, signal);
    if (reply.status !== 200) throw httpFailure(this.context.name, reply);
    const card = readCard(parseJson(reply.body, this.context.name), this.context.name);
    if (!card) throw notA2a(this.context.name);
    return card;
  }

  #watched<T>(work: Promise<T>, by?: AbortSignal): Promise<T> {
    return this.watched(work, (signal) => this.#readCard(signal), by);
  }
}

function agentValue(card: AgentCard): AgentDescription {
  const { key, name, description, version, inputModes, outputModes, skills } = card;
  return {
    name: key,
    kind: 'a2a',
    ...(name === key ? {} : { title: name, aliases: [name] }),
    ...(description === undefined ? {} : { description }),
    ...(version === undefined ? {} : { version }),
    ...(inputModes.length > 0 ? { inputModes } : {}),
    ...(outputModes.length > 0 ? { outputModes } : {}),
    ...(skills.length > 0
      ? { skills: skills.map(({ id, name: title, description: does }) => ({ id, name: title, description: does })) }
      : {}),
    ...(isSigned(card) ? { signedCard: card.raw } : {}),
    memory: true,
  };
}

const isSigned = ({ raw }: AgentCard): boolean => Array.isArray(raw.signatures) && raw.signatures.length > 0;

/** The whole card, unchanged, with what the gateway made of it: signatures in it stay valid. */
function describe(card: AgentCard, { binding, version }: AgentInterface): JsonObject {
  return {
    ...agentValue(card),
    skills: card.skills,
    protocol: { version, binding, streaming: card.streaming },
    capabilities: { threads: true, streaming: card.streaming, interrupts: true },
    card: card.raw,
  };
}
