/**
 * Connects one A2A agent by its card, and detects one.
 * @module
 */
import type { ConnectContext, DetectContext } from '../../src/core/adapter.ts';
import { fixedHeaders } from '../../src/core/credentials.ts';
import { SwitchboardError } from '../../src/core/errors.ts';
import type { Upstream } from '../../src/core/upstream.ts';
import type { WholeReply } from '../shared/origin.ts';
import { A2aApi, parseJson } from './api.ts';
import { type AgentCard, type AgentInterface, cardPlaces, looksLikeCard, readCard } from './card.ts';
import { httpFailure } from './failure.ts';
import { A2aUpstream } from './upstream.ts';

const MAX_CARD_BYTES = 1024 * 1024;

export async function connect(context: ConnectContext): Promise<Upstream> {
  const { name, target, maxReplyBytes, guard, credentials, signal, options } = context;
  if (target.transport !== 'http' && target.transport !== 'auto') {
    throw new SwitchboardError('SWB_CONFIG', `Server '${name}': kind 'a2a' needs the URL of an agent.`);
  }
  const url = new URL(target.url);
  const cards = new A2aApi({ name, origin: url.origin, credentials, maxReplyBytes: MAX_CARD_BYTES, guard });
  let api: A2aApi | undefined;
  try {
    signal.throwIfAborted();
    const { place, card } = await findCard(cards, url, signal);
    const to = chosenInterface(card, url, options.agentEndpoint, name);
    api = new A2aApi({ name, origin: to.url.origin, credentials, maxReplyBytes, guard });
    return new A2aUpstream({ context, cards, place, api, card, to });
  } catch (error) {
    await Promise.all([cards.close(), api?.close()]);
    throw error;
  }
}

/** The first place that has a card. What the likeliest one answered is the error when there is none. */
async function findCard(api: A2aApi, url: URL, signal: AbortSignal): Promise<{ place: string; card: AgentCard }> {
  let first: SwitchboardError | undefined;
  for (const place of cardPlaces(url)) {
    const reply = await api.card(place, signal);
    const card = reply.status === 200 ? cardIn(reply, api.name) : undefined;
    if (card) return { place, card };
    first ??= reply.status === 200 || reply.status === 404 ? noCard(api.name) : httpFailure(api.name, reply);
  }
  throw first ?? noCard(api.name);
}

function cardIn({ body }: WholeReply, name: string): AgentCard | undefined {
  try {
    return readCard(parseJson(body, name), name);
  } catch (error) {
    if (error instanceof SwitchboardError && /names no interface/.test(error.message)) throw error;
    return undefined;
  }
}

const noCard = (name: string): SwitchboardError =>
  new SwitchboardError(
    'SWB_UPSTREAM_PROTOCOL',
    `Server '${name}' has no agent card at its URL: neither <url>/.well-known/agent-card.json nor the same path at its ` +
      'origin is one. Write the URL of the agent, or of the card itself.',
  );

/**
 * The interface requests go to: the first of the card at the configured origin. A card is the agent's word: it cannot
 * send the gateway's credentials, or the gateway itself, to another origin unless the operator names it.
 */
function chosenInterface(card: AgentCard, url: URL, endpoint: unknown, name: string): AgentInterface {
  const [preferred] = card.interfaces;
  if (typeof endpoint === 'string' && preferred) {
    const at = new URL(endpoint);
    const same = card.interfaces.find((each) => each.url.href === at.href);
    return { ...(same ?? preferred), url: at };
  }
  const own = card.interfaces.find((each) => isSameOrigin(each.url, url));
  if (own) return { ...own, url: new URL(own.url.pathname + own.url.search, url.origin) };
  throw new SwitchboardError(
    'SWB_CONFIG',
    `The card of server '${name}' names ${preferred?.url.origin} as the agent's address, which is not the origin of its url. ` +
      'If that is right, set "agentEndpoint" in its entry to the address; or write the url with that origin.',
  );
}

/** Agents on this machine name it in any of its ways. */
function isSameOrigin(a: URL, b: URL): boolean {
  if (a.origin === b.origin) return true;
  return a.protocol === b.protocol && a.port === b.port && isLoopback(a.hostname) && isLoopback(b.hostname);
}

const isLoopback = (host: string): boolean =>
  host === 'localhost' || host === '[::1]' || host === '0.0.0.0' || /^127(?:\.\d{1,3}){3}$/.test(host);

/** By a card at the URL itself: one at the origin may be that of another agent. */
export async function detect(url: URL, { headers, guard, signal }: DetectContext): Promise<boolean> {
  const credentials = fixedHeaders(headers);
  const api = new A2aApi({ name: url.host, origin: url.origin, credentials, maxReplyBytes: MAX_CARD_BYTES, guard });
  try {
    const [place] = cardPlaces(url);
    const reply = await api.card(place ?? '/', signal);
    return reply.status === 200 && looksLikeCard(parseJson(reply.body, ''));
  } catch {
    return false;
  } finally {
    await api.close();
  }
}
