/**
 * Tasks that wait (`input-required`, `auth-required`) as questions to the client, and its answers as parts of the next
 * message.
 * @module
 */
import type { Ask, Call } from '../../src/core/call.ts';
import { SwitchboardError } from '../../src/core/errors.ts';
import { head } from '../../src/core/text.ts';
import { isObject, type JsonObject } from '../../src/wire/jsonrpc.ts';
import type { Message, Part, Status } from './messages.ts';
import { textOf } from './parts.ts';

const MAX_QUESTION = 4_000;
const PRIMITIVE: readonly unknown[] = ['string', 'number', 'integer', 'boolean'];

/**
 * The parts to go on with. Undefined when the client cannot be asked, or does not accept. An empty list: the person has done what
 * was asked elsewhere, and the task may be going on already.
 */
export async function answerOf(call: Call, status: Status): Promise<Part[] | undefined> {
  if (!call.canAsk('elicitation/create')) return undefined;
  return status.state === 'auth-required' ? authorized(call, status.message) : answered(call, status.message);
}

/** What the task waits for, in words. */
export function questionOf({ state, message }: Status): string {
  const said = message ? head(textOf(message.parts), MAX_QUESTION) : '';
  if (said !== '') return said;
  return state === 'auth-required'
    ? 'The agent needs an authorization to go on.'
    : 'The agent needs an answer to go on.';
}

async function answered(call: Call, message: Message | undefined): Promise<Part[] | undefined> {
  const form = message && formIn(message);
  const requestedSchema = form ?? {
    type: 'object',
    properties: { answer: { type: 'string', title: 'Answer' } },
    required: ['answer'],
  };
  const question = questionOf({ state: 'input-required', message });
  const content = await accepted(call, {
    method: 'elicitation/create',
    params: { message: question, requestedSchema },
  });
  if (!content) return undefined;
  if (form) return [{ data: content }];
  return typeof content.answer === 'string' ? [{ text: content.answer }] : undefined;
}

/** A data part that is a flat JSON Schema of type object is a form: what MCP's elicitation takes. */
function formIn({ parts }: Message): JsonObject | undefined {
  for (const part of parts) {
    if (!('data' in part) || !isObject(part.data)) continue;
    const schema = isObject(part.data.requestedSchema) ? part.data.requestedSchema : part.data;
    if (schema.type !== 'object' || !isObject(schema.properties)) continue;
    const properties = Object.values(schema.properties);
    const flat = properties.every((property) => isObject(property) && PRIMITIVE.includes(property.type));
    if (flat && properties.length > 0) return schema;
  }
  return undefined;
}

async function authorized(call: Call, message: Message | undefined): Promise<Part[] | undefined> {
  const question = questionOf({ state: 'auth-required', message });
  const url = message && linkIn(message);
  const elicitationId = crypto.randomUUID();
  if (url !== undefined) {
    const link = { mode: 'url', message: question, url, elicitationId };
    const asked = await accepted(call, { method: 'elicitation/create', params: link }).catch(notTaken);
    if (asked !== 'refused') return asked && [];
  }
  const told = url === undefined || question.includes(url) ? question : `${question}\n${url}`;
  const requestedSchema = {
    type: 'object',
    properties: { done: { type: 'boolean', title: 'I have authorized it', default: false } },
    required: ['done'],
  };
  const content = await accepted(call, { method: 'elicitation/create', params: { message: told, requestedSchema } });
  return content?.done === true ? [] : undefined;
}

/** The client takes no links: it is asked by a form. */
function notTaken(error: unknown): 'refused' {
  if (error instanceof SwitchboardError && error.code === 'SWB_ASK_REFUSED') return 'refused';
  throw error;
}

/** The content of an accepted elicitation; empty for a link. */
async function accepted(call: Call, ask: Ask): Promise<JsonObject | undefined> {
  const answer = await call.ask(ask);
  if (answer.action !== 'accept') return undefined;
  return isObject(answer.content) ? answer.content : {};
}

/** The first web address the message holds: as a part of its own, in data, or in its text. */
function linkIn({ parts }: Message): string | undefined {
  for (const part of parts) {
    const found =
      'url' in part ? part.url : 'data' in part ? JSON.stringify(part.data) : 'text' in part ? part.text : '';
    const link = /https?:\/\/[^\s"'<>\\]+/.exec(found ?? '')?.[0].replace(/[).,;]+$/, '');
    if (link !== undefined && URL.canParse(link)) return link;
  }
  return undefined;
}
