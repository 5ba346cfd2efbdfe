/**
 * LangGraph's own form of a question to a person, `HumanInterrupt`: an action with its arguments, what a person may do about
 * it, and a description. It comes alone or as a list, and is answered with `HumanResponse` in the same shape.
 * JavaScript and Python write it alike.
 * @module
 */
import { shorten } from '../../src/core/text.ts';
import { isObject, type JsonObject } from '../../src/wire/jsonrpc.ts';
import type { InterruptForm } from './approvals.ts';

const MAX_ACTIONS = 10;
const MAX_DESCRIPTION = 4_000;
const MAX_ARGUMENTS = 2_000;

/** What a person may do, in the order of the form, with the member of `config` that allows it. */
const CHOICES = [
  ['accept', 'allow_accept'],
  ['edit', 'allow_edit'],
  ['respond', 'allow_respond'],
  ['ignore', 'allow_ignore'],
] as const;

type Choice = (typeof CHOICES)[number][0];

interface Action {
  request: { action: string; args: unknown };
  choices: Choice[];
  text: string;
}

export function isHumanInterrupt(value: unknown): value is JsonObject {
  return (
    isObject(value) &&
    isObject(value.action_request) &&
    typeof value.action_request.action === 'string' &&
    isObject(value.config)
  );
}

/** The form for such an interrupt; undefined for every other value. */
export function humanInterruptQuestion(value: unknown): InterruptForm | undefined {
  const list = Array.isArray(value) ? value : [value];
  if (list.length === 0 || list.length > MAX_ACTIONS || !list.every(isHumanInterrupt)) return undefined;
  const actions = list.map(readAction);
  if (actions.some(({ choices }) => choices.length === 0)) return undefined;
  const field = (name: string, i: number): string => (actions.length === 1 ? name : `${name}_${i + 1}`);
  const properties: JsonObject = {};
  for (const [i, action] of actions.entries()) {
    const number = actions.length === 1 ? '' : ` ${i + 1}`;
    const { choices, request } = action;
    const about = shorten(request.action, 100);
    properties[field('decision', i)] = {
      type: 'string',
      title: `Decision${number}`,
      description: about,
      enum: choices,
    };
    if (choices.includes('respond')) {
      const description = 'What to tell the agent, for the decision respond';
      properties[field('response', i)] = { type: 'string', title: `Response${number}`, description };
    }
    if (choices.includes('edit')) {
      const description = `The arguments as JSON, for the decision edit. Now: ${shorten(json(request.args), 500)}`;
      properties[field('arguments', i)] = { type: 'string', title: `Arguments${number}`, description };
    }
  }
  return {
    message: actions.map(({ text }) => text).join('\n\n'),
    requestedSchema: { type: 'object', properties, required: actions.map((_, i) => field('decision', i)) },
    read(content) {
      const answers: JsonObject[] = [];
      for (const [i, action] of actions.entries()) {
        const [decision, response, args] = ['decision', 'response', 'arguments'].map((name) => content[field(name, i)]);
        const answer = readAnswer(action, decision, response, args);
        if (!answer) return undefined;
        answers.push(answer);
      }
      return { resume: Array.isArray(value) ? answers : answers[0] };
    },
  };
}

function readAction({ action_request, config, description }: JsonObject): Action {
  const { action, args } = action_request as JsonObject;
  const allowed = config as JsonObject;
  const request = { action: action as string, args: args ?? {} };
  const call = `${shorten(request.action, 200)}(${shorten(json(request.args), MAX_ARGUMENTS)})`;
  const said = typeof description === 'string' ? description.slice(0, MAX_DESCRIPTION) : '';
  return {
    request,
    choices: CHOICES.filter(([, allows]) => allowed[allows] === true).map(([choice]) => choice),
    text: said === '' ? `The agent wants to do ${call}.` : `${said}\n${call}`,
  };
}

/** A `HumanResponse`; undefined when the content does not answer. */
function readAnswer(
  { request, choices }: Action,
  decision: unknown,
  response: unknown,
  args: unknown,
): JsonObject | undefined {
  if (!choices.includes(decision as Choice)) return undefined;
  switch (decision as Choice) {
    case 'accept':
    case 'ignore':
      return { type: decision, args: null };
    case 'respond':
      return typeof response === 'string' && response !== '' ? { type: 'response', args: response } : undefined;
    case 'edit': {
      const edited = typeof args === 'string' ? parse(args) : undefined;
      return isObject(edited) ? { type: 'edit', args: { action: request.action, args: edited } } : undefined;
    }
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const json = (value: unknown): string => JSON.stringify(value) ?? '';
