/** One thing that is tried: its form, the request that runs, what comes while it runs, and the request as code. */
import type { VNode } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import type { ListedEntryJson } from '../entries.ts';
import { api, messageOf, readEvents } from './api.ts';
import { AsCode, type ClientRequest } from './as-code.ts';
import { Question, type QuestionData } from './question.ts';
import { json, Result } from './result.ts';
import { type JsonSchema, startValue } from './schema.ts';
import { type Propose, SchemaForm } from './schema-form.ts';
import { html, Name, Note, plain } from './ui.ts';
import { expanded, variablesOf } from './uri-template.ts';

export type Kind = 'tools' | 'prompts' | 'resources' | 'templates' | 'agents';
export type WholeEntry = ListedEntryJson & { kind: Kind; definition: Record<string, unknown> };

/** What came while it ran, in its order. Pieces of an agent's text are one. */
type Seen =
  | { what: 'said'; text: string }
  | { what: 'progress'; text: string }
  | { what: 'notification'; method: string; text: string }
  | { what: 'question'; data: QuestionData }
  | { what: 'failed'; error: { message: string; code: number; data?: { code?: string } } }
  | { what: 'result'; result: Record<string, unknown>; took: number };

const MAX_SEEN = 200;
const MAX_SAID = 100_000;

/** The arguments' schema: of a tool its own, of a prompt its list, of a template its variables. */
function schemaOf({ kind, definition, name }: WholeEntry): JsonSchema {
  const text = (title: string | undefined, description: unknown): JsonSchema => ({
    type: 'string',
    title,
    description,
  });
  switch (kind) {
    case 'tools':
      return (definition.inputSchema ?? { type: 'object' }) as JsonSchema;
    case 'agents':
      return {
        type: 'object',
        properties: {
          message: { type: 'string', title: 'Message' },
          threadId: {
            type: 'string',
            title: 'Conversation',
            description: 'The threadId of an earlier answer, to go on with it.',
          },
        },
        required: ['message'],
      };
    case 'prompts': {
      const given = (Array.isArray(definition.arguments) ? definition.arguments : []) as {
        name: string;
        title?: string;
        description?: string;
        required?: boolean;
      }[];
      return {
        type: 'object',
        properties: Object.fromEntries(given.map((each) => [each.name, text(each.title, each.description)])),
        required: given.filter((each) => each.required).map((each) => each.name),
      };
    }
    case 'templates': {
      const variables = variablesOf(name);
      return {
        type: 'object',
        properties: Object.fromEntries(variables.map((each) => [each.name, text(undefined, undefined)])),
        required: variables.filter(({ optional }) => !optional).map((each) => each.name),
      };
    }
    default:
      return { type: 'object', properties: {} };
  }
}

function requestOf({ kind, name, server, original }: WholeEntry, value: unknown): ClientRequest {
  const given = (typeof value === 'object' && value !== null ? value : {}) as Record<string, unknown>;
  switch (kind) {
    case 'tools':
      return { method: 'tools/call', params: { name, arguments: given } };
    case 'prompts':
      return { method: 'prompts/get', params: { name, arguments: given } };
    case 'agents':
      return {
        method: 'tools/call',
        params: { name: 'callAgent', arguments: { agent: `${server}/${original}`, ...given, stream: true } },
      };
    case 'templates':
      return { method: 'resources/read', params: { uri: expanded(name, given) } };
    default:
      return { method: 'resources/read', params: { uri: name } };
  }
}

/** What the server proposes for an argument of a prompt or a variable of a template. */
const proposerOf = ({ kind, name }: WholeEntry, as: string, value: unknown): Propose | undefined => {
  if (kind !== 'prompts' && kind !== 'templates') return undefined;
  const ref = kind === 'prompts' ? { type: 'ref/prompt', name } : { type: 'ref/resource', uri: name };
  const { ...context } = typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  return async (argument, text) => {
    delete context[argument];
    const body = { ref, argument: { name: argument, value: text }, context: { arguments: context }, as };
    const { values } = await api<{ values: string[] }>('api/complete', body).catch(() => ({ values: [] }));
    return values;
  };
};

export function Trial({ entry, as, needsKey }: { entry: WholeEntry; as: string; needsKey: boolean }): VNode {
  const schema = schemaOf(entry);
  const [value, setValue] = useState<unknown>(() => startValue(schema, schema) ?? {});
  const [seen, setSeen] = useState<readonly Seen[]>([]);
  const [run, setRun] = useState('');
  const [problem, setProblem] = useState('');
  const ended = useRef<AbortController | undefined>(undefined);
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    heading.current?.focus();
    return () => ended.current?.abort();
  }, []);
  const request = requestOf(entry, value);
  const running = run !== '';

  const start = async (event: SubmitEvent): Promise<void> => {
    event.preventDefault();
    setSeen([]);
    setProblem('');
    setRun('begun');
    const controller = new AbortController();
    ended.current = controller;
    const take = (name: string, data: Record<string, unknown>): void => {
      if (name === 'begun') setRun(String(data.run));
      else setSeen((before) => withEvent(before, name, data, entry.kind));
    };
    await readEvents('api/try', (name, data) => take(name, data as Record<string, unknown>), controller.signal, {
      ...request,
      as,
    }).catch((error: unknown) => setProblem(controller.signal.aborted ? 'Cancelled.' : messageOf(error)));
    setRun('');
    // Nothing waits for an answer any more.
    setSeen((before) => before.filter(({ what }) => what !== 'question'));
  };
  const answered = (question: string): void =>
    setSeen((before) => before.filter((each) => each.what !== 'question' || each.data.question !== question));
  const { description } = entry.definition;
  return html`<section class="card trial" aria-labelledby="trial">
    <header><h2 id="trial" ref=${heading} tabindex="-1"><${Name} of=${entry.name} /></h2><span class="quiet">of <${Name} of=${entry.server} /></span></header>
    ${typeof description === 'string' && description !== '' ? html`<${Long} text=${description} />` : null}
    <form onSubmit=${start}>
      <${SchemaForm} schema=${schema} value=${value} onChange=${setValue} id="args" propose=${proposerOf(entry, as, value)} />
      ${entry.kind === 'templates' || entry.kind === 'resources' ? html`<p class="quiet">Reads <code>${plain(String(request.params.uri))}</code></p>` : null}
      <div class="actions">
        <button class="first" disabled=${running}>${running ? 'Running…' : 'Run'}</button>
        ${running ? html`<button type="button" onClick=${() => ended.current?.abort()}>Cancel</button>` : null}
      </div>
    </form>
    ${problem ? html`<${Note} tone="fault">${plain(problem)}<//>` : null}
    <div class="seen" aria-live="polite">${seen.map((each, index) => html`<${Happened} key=${each.what === 'question' ? `question ${each.data.question}` : index} seen=${each} run=${run} onAnswered=${answered} />`)}</div>
    <details><summary>This request as code</summary><${AsCode} request=${request} needsKey=${needsKey} /></details>
    <details><summary>Definition</summary><pre tabindex="0" role="region" aria-label="Definition">${json(entry.definition)}</pre></details>
  </section>`;
}

function withEvent(before: readonly Seen[], name: string, data: Record<string, unknown>, kind: Kind): readonly Seen[] {
  const add = (seen: Seen): readonly Seen[] => [...before, seen].slice(-MAX_SEEN);
  switch (name) {
    case 'notification': {
      const params = (data.params ?? {}) as { progress?: number; total?: number; message?: string; data?: unknown };
      const { progress, total, message } = params;
      if (progress === undefined) {
        const text = typeof params.data === 'string' ? params.data : JSON.stringify(params.data ?? params);
        return add({ what: 'notification', method: String(data.method), text });
      }
      const last = before.at(-1);
      if (kind === 'agents') {
        const text = last?.what === 'said' ? last.text + (message ?? '') : (message ?? '');
        return [
          ...(last?.what === 'said' ? before.slice(0, -1) : before),
          { what: 'said', text: text.slice(-MAX_SAID) },
        ];
      }
      const text = `${progress}${total === undefined ? '' : ` of ${total}`}${message ? ` ${message}` : ''}`;
      return last?.what === 'progress' && !message
        ? [...before.slice(0, -1), { what: 'progress', text }]
        : add({ what: 'progress', text });
    }
    case 'question':
      return add({ what: 'question', data: data as unknown as QuestionData });
    case 'failed':
      return add({ what: 'failed', error: data.error as Extract<Seen, { what: 'failed' }>['error'] });
    case 'result':
      return add({ what: 'result', result: data.result as Record<string, unknown>, took: Number(data.ms) });
    default:
      return before;
  }
}

function Happened({
  seen,
  run,
  onAnswered,
}: {
  seen: Seen;
  run: string;
  onAnswered: (question: string) => void;
}): VNode {
  switch (seen.what) {
    case 'said':
      return html`<h3>So far</h3><pre tabindex="0" role="region" aria-label="What the agent says">${plain(seen.text)}</pre>`;
    case 'progress':
      return html`<p class="quiet">Progress: ${plain(seen.text)}</p>`;
    case 'notification':
      return html`<p class="quiet"><code>${plain(seen.method)}</code> ${plain(seen.text)}</p>`;
    case 'question':
      return html`<${Question} data=${seen.data} run=${run} onAnswered=${onAnswered} />`;
    case 'failed':
      return html`<${Note} tone="fault"><p>${plain(seen.error.message)}</p><p><code>${plain(String(seen.error.data?.code ?? seen.error.code))}</code></p><//>`;
    default:
      return html`<${Result} result=${seen.result} took=${seen.took} />`;
  }
}

/** Descriptions may be pages long, and the form stands below them. */
const MAX_DESCRIPTION = 800;

function Long({ text }: { text: string }): VNode {
  const [isOpen, setOpen] = useState(false);
  const isLong = text.length > MAX_DESCRIPTION;
  return html`<p class="description">${plain(isLong && !isOpen ? `${text.slice(0, MAX_DESCRIPTION)}…` : text)}</p>
    ${isLong ? html`<p><button type="button" class="link" aria-expanded=${isOpen} onClick=${() => setOpen(!isOpen)}>${isOpen ? 'Shorten the description' : 'The whole description'}</button></p>` : null}`;
}
