/**
 * A connected LangGraph server.
 * @module
 */

import type { ConnectContext } from '../../src/core/adapter.ts';
import type { AgentCallResult } from '../../src/core/agent-call.ts';
import type { Call } from '../../src/core/call.ts';
import { within } from '../../src/core/deadline.ts';
import { SwitchboardError } from '../../src/core/errors.ts';
import { LOCAL_PRINCIPAL } from '../../src/core/identity.ts';
import type { CatalogKind, Entry, Reply } from '../../src/core/upstream.ts';
import type { Implementation } from '../../src/wire/envelope.ts';
import { isObject, type JsonObject } from '../../src/wire/jsonrpc.ts';
import { IdempotentRuns } from '../shared/idempotency.ts';
import { patiently } from '../shared/patience.ts';
import { PolledUpstream } from '../shared/polled-upstream.ts';
import { type Assistant, agentEntries, graphsBeside, keyedAssistants, listAssistants } from './agents.ts';
import type { LanggraphApi } from './api.ts';
import { AttachedRun, readRef } from './attach.ts';
import { type CallContext, callAgent } from './call.ts';
import { deleteThread, forkThread, listThreads, readThread } from './conversations.ts';
import { describeAgent } from './describe.ts';
import { type RunInput, readTurn } from './input.ts';
import { refuseOtherThreads, ThreadOwners } from './owners.ts';
import { progressOf } from './progress.ts';
import { readResource, templateEntries } from './resources.ts';
import type { FollowedRun } from './run.ts';
import { fieldsOf, type GraphSchema, GraphSchemas } from './schemas.ts';

const POLL_MS = 30_000;
/** How long closing waits for cancelled runs to be confirmed. */
const CLOSE_MS = 1_500;
/** How long the result of a message that the run seems to have ignored waits for the reason. */
const SCHEMA_PATIENCE_MS = 10_000;

/** The members of `GET /info` that are used; a server may have it switched off. */
export interface ServerFacts {
  version: string | undefined;
  serverInfo: Implementation | undefined;
  /** False: it lists none. */
  hasAssistants: boolean;
  /** Graphs of the configuration, which are agents beside the assistants. */
  graphs: readonly string[];
}

export class LanggraphUpstream extends PolledUpstream {
  readonly kind = 'langgraph';
  readonly capabilities: JsonObject = { resources: {} };
  readonly #api: LanggraphApi;
  readonly #facts: ServerFacts;
  readonly #owners: ThreadOwners;
  readonly #schemas: GraphSchemas;
  readonly #once: IdempotentRuns;
  readonly #isWhole: () => boolean;
  readonly #runs = new Set<FollowedRun>();
  readonly #tidying = new Set<Promise<void>>();
  /** The last list by key, for the assistant behind one. */
  #agents = new Map<string, Assistant>();

  constructor(api: LanggraphApi, context: ConnectContext, facts: ServerFacts) {
    const { version, serverInfo } = facts;
    super(context, { lists: ['agents', 'templates'], pollMs: POLL_MS, version, serverInfo });
    this.#api = api;
    this.#owners = new ThreadOwners(api);
    this.#schemas = new GraphSchemas(api, context.log);
    this.#once = new IdempotentRuns(context.memory);
    this.#facts = facts;
    this.#isWhole = () => context.wholeDefinitions?.() === true;
  }

  async request(method: string, params: JsonObject, call: Call): Promise<Reply> {
    this.requireOpen();
    if (call.aborted) throw call.signal.reason;
    const api = this.#api.as(call.caller.identity);
    switch (method) {
      case 'agents/call':
        return { value: await this.#once.call(params, call, (own) => this.#call(api, params, own)) };
      case 'agents/attach':
        return { value: await this.#attach(api, params, call) };
      case 'agents/describe': {
        const agent = nameOf(params);
        const listed = this.#agents.get(agent);
        const id = listed?.assistant_id ?? agent;
        return { value: await describeAgent(api, this.#schemas, { agent, id, listed }, call.signal) };
      }
      case 'agents/threads/list': {
        const assistant = params.agent === undefined ? undefined : this.#idOf(nameOf(params));
        return { value: await listThreads(api, params, assistant, call) };
      }
      case 'agents/threads/read':
        return { value: await readThread(api, params, call) };
      case 'agents/threads/delete':
        this.#owners.forget(await deleteThread(api, params, call), call.caller.principal);
        return { value: {} };
      case 'agents/threads/fork':
        return { value: await forkThread(api, params, call) };
      case 'resources/read':
        return { value: await readResource(api, params, call) };
      default:
        throw new SwitchboardError(
          'SWB_NOT_SUPPORTED',
          `Server '${this.context.name}' is a LangGraph server: it has agents, and no '${method.slice(0, 100)}'.`,
        );
    }
  }

  async ping(signal: AbortSignal): Promise<void> {
    this.requireOpen();
    if (this.#facts.version !== undefined) await this.#api.json('GET', '/info', undefined, signal);
    else if (!this.#facts.hasAssistants) await this.#api.reply('GET', '/ok', undefined, signal);
    else await this.#api.json('POST', '/assistants/search', { limit: 1 }, signal);
  }

  protected async list(kind: CatalogKind, signal: AbortSignal): Promise<Entry[]> {
    if (kind === 'templates') return templateEntries();
    const { hasAssistants, graphs } = this.#facts;
    const assistants = hasAssistants ? await listAssistants(this.#api, this.context.log, signal) : [];
    const keyed = keyedAssistants([...assistants, ...graphsBeside(assistants, graphs)]);
    this.#agents = keyed;
    const graphIds = new Map(
      [...keyed.values()].map(({ graph_id, assistant_id }) => [graph_id, assistant_id] as const),
    );
    if (hasAssistants && this.#isWhole()) await this.#schemas.all(graphIds, signal);
    // Schemas arrive with a change of the list: without a listener they are read by `agents/describe` alone.
    else if (hasAssistants && this.isListenedTo) this.#schemas.warm(graphIds, () => this.changed('agents'));
    return agentEntries(keyed, (graph) => this.#schemas.known(graph));
  }

  protected async end(): Promise<void> {
    this.#schemas.close();
    const reason = this.disconnected();
    const cancelled = [...this.#runs].map((run) => (this.isLost ? run.lost(reason) : run.abandon(reason)));
    await within(Promise.allSettled([...cancelled, ...this.#tidying]), CLOSE_MS, () => undefined);
    // A run that has just been cancelled leaves its thread to be removed.
    await within(Promise.allSettled(this.#tidying), CLOSE_MS, () => undefined);
    await this.#api.close().catch(() => {});
  }

  /** Reads a run of an earlier process to its end, and goes on as a call of this one. */
  async #attach(api: LanggraphApi, params: JsonObject, call: Call): Promise<AgentCallResult> {
    const agent = nameOf(params);
    const { runId, thread, place } = readRef(params.run);
    const { principal } = call.caller;
    const { log } = this.context;
    const isOwned = principal !== LOCAL_PRINCIPAL;
    if (isOwned) {
      // The first look of all: the server may be away for a moment.
      const look = () => this.#owners.require(thread, call.caller.identity, false, call.signal);
      await patiently(call, () => call.aborted || this.isOver, look);
    }
    this.requireOpen();
    const pieces = place && progressOf(call, place.said);
    // Without `stream` only runs that follow an answer of a person speak.
    const speaking =
      params.stream === false ? { after: undefined, pieces: undefined } : { after: place?.after, pieces };
    const run = new AttachedRun({ api, log, agent, runId, thread, ...speaking });
    const turn: RunInput = {
      agent,
      thread,
      stream: pieces !== undefined,
      options: {},
      first: {},
      speaks: false,
      data: undefined,
      resumes: true,
      sent: undefined,
    };
    const context: CallContext = {
      api,
      log,
      assistant: this.#idOf(agent),
      runs: this.#runs,
      tidying: this.#tidying,
      onThreadGone: undefined,
    };
    return callAgent(context, turn, call, { run, pieces });
  }

  async #call(api: LanggraphApi, params: JsonObject, call: Call): Promise<AgentCallResult> {
    const { identity, principal } = call.caller;
    const turn = readTurn(params, principal);
    this.#requireData(turn);
    const isOwned = principal !== LOCAL_PRINCIPAL;
    if (isOwned) refuseOtherThreads(turn.options, turn.thread);
    if (isOwned) await this.#owners.require(turn.thread, identity, !turn.resumes, call.signal);
    else if (turn.thread.origin === 'name' && !turn.resumes) {
      await this.#owners.keepName(turn.thread, identity, call.signal);
    }
    if (call.aborted) throw call.signal.reason;
    this.requireOpen();
    let isHeard = true;
    const context: CallContext = {
      api,
      log: this.context.log,
      assistant: this.#idOf(turn.agent),
      runs: this.#runs,
      tidying: this.#tidying,
      onState: (values) => {
        isHeard = !turn.speaks || !isObject(values) || 'messages' in values;
      },
      onThreadGone: isOwned ? () => this.#owners.forget(turn.thread, principal) : undefined,
    };
    const result = await callAgent(context, turn, call);
    return isHeard || result.status !== 'completed' ? result : this.#notHeard(turn, result);
  }

  /** Throws when the agent is known to take data that the turn does not bring. */
  #requireData({ agent, speaks, data }: RunInput): void {
    const schema = this.#schemaOf(agent);
    if (!schema?.input || schema.takesMessages !== false) return;
    if (speaks) throw takesData(agent, 'takes data and no messages', schema.input);
    const known = isObject(schema.input.properties) ? schema.input.properties : {};
    if (!isObject(data) || Object.keys(data).length === 0 || Object.keys(data).some((name) => name in known)) return;
    throw takesData(agent, 'knows none of the members of its input', schema.input);
  }

  /**
   * A graph whose state is data takes a message without a word and runs on nothing. Where its schema was not known before
   * the run, its final state gives it away: only then is the schema waited for.
   */
  async #notHeard({ agent }: RunInput, result: AgentCallResult): Promise<AgentCallResult> {
    const assistant = this.#agents.get(agent);
    const schema =
      assistant && (await this.#schemas.of(assistant.graph_id, assistant.assistant_id, SCHEMA_PATIENCE_MS));
    if (schema?.input && schema.takesMessages === false) {
      throw takesData(agent, 'takes data and no messages, and has run without any', schema.input);
    }
    if (schema?.takesMessages || result.text !== '') return result;
    const note = 'the message, perhaps: the final state has no messages. describeAgent shows what the agent takes';
    return { ...result, omitted: [...(result.omitted ?? []), note] };
  }

  #schemaOf(agent: string): GraphSchema | undefined {
    const graph = this.#agents.get(agent)?.graph_id;
    return graph === undefined ? undefined : this.#schemas.known(graph);
  }

  /** The assistant id of a catalog key. An unknown key is sent unchanged: the list may be older than the agent. */
  #idOf(agent: string): string {
    return this.#agents.get(agent)?.assistant_id ?? agent;
  }
}

const takesData = (agent: string, what: string, inputSchema: JsonObject): SwitchboardError =>
  new SwitchboardError(
    'SWB_INVALID_PARAMS',
    `Agent '${agent}' ${what}: set input to an object with ${fieldsOf(inputSchema)}. describeAgent shows its schema.`,
    { data: { inputSchema } },
  );

function nameOf({ agent }: JsonObject): string {
  if (typeof agent === 'string' && agent !== '') return agent;
  throw new SwitchboardError('SWB_INVALID_PARAMS', 'agent must name an agent.');
}
