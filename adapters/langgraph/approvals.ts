/**
 * The interrupt of LangChain's human-in-the-loop middleware: tool calls that each wait for a decision. It needs a resume
 * value of its own shape; a plain answer would make the graph fail.
 * JavaScript writes `actionRequests`/`reviewConfigs`/`allowedDecisions`, Python the same in snake case.
 *
 * A form can offer to approve, to reject and to respond in the tool's place. A client edits arguments with
 * `options.resume`. Only the choice `approve` approves.
 * @module
 */
import { shorten } from '../../src/core/text.ts';
import { isObject, type JsonObject } from '../../src/wire/jsonrpc.ts';

/** A form to elicit, and how its content becomes the value to resume with. */
export interface InterruptForm {
  message: string;
  requestedSchema: JsonObject;
  /** Undefined when the content does not answer the question. */
  read(content: JsonObject): { resume: unknown } | undefined;
}

const MAX_ACTIONS = 10;
const MAX_DESCRIPTION = 2_000;
const FORM_DECISIONS: readonly string[] = ['approve', 'reject', 'respond'];

interface Action {
  description: string;
  decisions: string[];
}

/** The form for such an interrupt; undefined for every other value. */
export function approvalQuestion(value: unknown): InterruptForm | undefined {
  const actions = readActions(value);
  if (!actions) return undefined;
  const field = (name: string, i: number): string => (actions.length === 1 ? name : `${name}_${i + 1}`);
  const properties: JsonObject = {};
  for (const [i, { description, decisions }] of actions.entries()) {
    const number = actions.length === 1 ? '' : ` ${i + 1}`;
    properties[field('decision', i)] = {
      type: 'string',
      title: `Decision${number}`,
      description: description.split('\n', 1)[0]?.slice(0, 200),
      enum: decisions,
    };
    if (decisions.length > 1 || decisions[0] !== 'approve') {
      properties[field('message', i)] = {
        type: 'string',
        title: `Message${number}`,
        description: 'Why it is rejected, or the response in its place',
      };
    }
  }
  return {
    message: actions.map((action) => action.description).join('\n\n'),
    requestedSchema: { type: 'object', properties, required: actions.map((_, i) => field('decision', i)) },
    read(content) {
      const decisions: JsonObject[] = [];
      for (const [i, action] of actions.entries()) {
        const type = content[field('decision', i)];
        const message = content[field('message', i)];
        if (typeof type !== 'string' || !action.decisions.includes(type)) return undefined;
        const said = typeof message === 'string' && message !== '' && type !== 'approve';
        if (type === 'respond' && !said) return undefined;
        decisions.push(said ? { type, message } : { type });
      }
      return { resume: { decisions } };
    },
  };
}

function readActions(value: unknown): Action[] | undefined {
  if (!isObject(value)) return undefined;
  const requests = value.actionRequests ?? value.action_requests;
  const reviews = value.reviewConfigs ?? value.review_configs;
  if (!Array.isArray(requests) || requests.length === 0 || requests.length > MAX_ACTIONS) return undefined;
  const actions: Action[] = [];
  for (const request of requests) {
    if (!isObject(request) || typeof request.name !== 'string') return undefined;
    const decisions = allowed(reviews, request.name).filter((decision) => FORM_DECISIONS.includes(decision));
    if (decisions.length === 0) return undefined;
    actions.push({ description: describe(request), decisions });
  }
  return actions;
}

function allowed(reviews: unknown, name: string): string[] {
  if (!Array.isArray(reviews)) return [];
  const review = reviews.find((item) => isObject(item) && (item.actionName ?? item.action_name) === name);
  const decisions = isObject(review) ? (review.allowedDecisions ?? review.allowed_decisions) : undefined;
  return Array.isArray(decisions) ? decisions.filter((decision) => typeof decision === 'string') : [];
}

/** The text of one decision: the server's description, then the tool and its arguments. */
function describe(request: JsonObject): string {
  const args = JSON.stringify(request.args ?? request.arguments ?? {});
  const call = `${request.name}(${shorten(args, MAX_DESCRIPTION)})`;
  const said = typeof request.description === 'string' ? request.description.slice(0, MAX_DESCRIPTION) : '';
  return said === '' ? `The agent wants to call ${call}.` : `${said}\n${call}`;
}
