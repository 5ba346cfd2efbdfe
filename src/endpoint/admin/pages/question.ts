/** A question of a server in the middle of a call: a form, an address to open, words of a model, or folders. */
import type { VNode } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { api, messageOf } from './api.ts';
import { json } from './result.ts';
import { type JsonSchema, startValue } from './schema.ts';
import { SchemaForm } from './schema-form.ts';
import { html, Note, plain } from './ui.ts';

interface About {
  message?: string;
  requestedSchema?: JsonSchema;
  url?: string;
  messages?: { role?: string; content?: { text?: string } | { text?: string }[] }[];
  systemPrompt?: string;
}

export interface QuestionData {
  question: string;
  /** `elicitation/create`, `sampling/createMessage`, `roots/list`. */
  method: string;
  params?: About;
}

interface QuestionProps {
  data: QuestionData;
  run: string;
  /** It has been answered. */
  onAnswered: (question: string) => void;
}

export function Question({ data, run, onAnswered }: QuestionProps): VNode {
  const about = data.params ?? {};
  const [problem, setProblem] = useState('');
  const [busy, setBusy] = useState(false);
  const shown = useRef<HTMLElement>(null);
  // Long forms push it below what is on the screen, and the call waits for it.
  useEffect(() => shown.current?.scrollIntoView({ block: 'nearest' }), []);
  const send = async (answer: unknown): Promise<void> => {
    setBusy(true);
    try {
      await api(`api/try/${run}/answer`, { question: data.question, answer });
      onAnswered(data.question);
    } catch (error) {
      setProblem(messageOf(error));
      setBusy(false);
    }
  };
  const props = { about, busy, send, id: `question-${data.question}` };
  const isElicitation = data.method === 'elicitation/create';
  return html`<section ref=${shown} class="card question" aria-label="A question of the server">
    <p class="quiet">The server asks:</p>
    ${about.message ? html`<p class="asked">${plain(about.message)}</p>` : null}
    ${
      isElicitation && about.url !== undefined
        ? html`<${UrlAnswer} ...${props} />`
        : isElicitation
          ? html`<${FormAnswer} ...${props} />`
          : data.method === 'sampling/createMessage'
            ? html`<${ModelAnswer} ...${props} />`
            : data.method === 'roots/list'
              ? html`<${RootsAnswer} ...${props} />`
              : html`<${JsonAnswer} ...${props} />`
    }
    ${problem ? html`<${Note} tone="fault">${plain(problem)}<//>` : null}
  </section>`;
}

interface AnswerProps {
  about: About;
  busy: boolean;
  send: (answer: unknown) => Promise<void>;
  id: string;
}

const Refusals = ({ busy, send }: Pick<AnswerProps, 'busy' | 'send'>): VNode =>
  html`<button type="button" disabled=${busy} onClick=${() => void send({ action: 'decline' })}>Decline</button>
    <button type="button" class="quiet" disabled=${busy} onClick=${() => void send({ action: 'cancel' })}>Dismiss</button>`;

function FormAnswer({ about, busy, send, id }: AnswerProps): VNode {
  const schema = about.requestedSchema ?? { type: 'object', properties: {} };
  const [value, setValue] = useState<unknown>(() => startValue(schema, schema) ?? {});
  const submit = (event: SubmitEvent): void => {
    event.preventDefault();
    void send({ action: 'accept', content: value });
  };
  return html`<form onSubmit=${submit}>
    <${SchemaForm} schema=${schema} value=${value} onChange=${setValue} id=${id} label="Answer" />
    <div class="actions"><button class="first" disabled=${busy}>Answer</button><${Refusals} busy=${busy} send=${send} /></div>
  </form>`;
}

function UrlAnswer({ about, busy, send }: AnswerProps): VNode {
  const url = about.url ?? '';
  const isWeb = /^https?:\/\//i.test(url);
  return html`<p>It wants you to open this address. Look at where it leads before you do.</p>
    <p>${isWeb ? html`<a href=${url} target="_blank" rel="noreferrer noopener">${plain(url)}</a>` : html`<code>${plain(url)}</code>`}</p>
    <div class="actions"><button type="button" class="first" disabled=${busy} onClick=${() => void send({ action: 'accept' })}>I agree</button><${Refusals} busy=${busy} send=${send} /></div>`;
}

/** The person writes what a model would have said. */
function ModelAnswer({ about, busy, send, id }: AnswerProps): VNode {
  const [text, setText] = useState('');
  const submit = (event: SubmitEvent): void => {
    event.preventDefault();
    void send({ role: 'assistant', content: { type: 'text', text }, model: 'a person', stopReason: 'endTurn' });
  };
  const said = (content: { text?: string } | { text?: string }[] | undefined): string =>
    [content]
      .flat()
      .map((block) => block?.text ?? '')
      .join('\n');
  return html`<p>It wants a model to go on with this. You answer in its place:</p>
    ${about.systemPrompt ? html`<div class="message"><p class="role">system</p><pre tabindex="0" role="region" aria-label="System prompt">${plain(about.systemPrompt)}</pre></div>` : null}
    ${about.messages?.slice(0, 50).map(({ role, content }, index) => html`<div key=${index} class="message"><p class="role">${plain(role ?? '')}</p><pre tabindex="0" role="region" aria-label=${`Message ${index + 1}`}>${plain(said(content))}</pre></div>`)}
    <form onSubmit=${submit}><label for=${id}>Answer of the model</label>
      <textarea id=${id} rows="3" class="text" required value=${text} onInput=${(event: Event) => setText((event.target as HTMLTextAreaElement).value)}></textarea>
      <div class="actions"><button class="first" disabled=${busy}>Answer</button></div></form>`;
}

function RootsAnswer({ busy, send, id }: AnswerProps): VNode {
  const [text, setText] = useState('');
  const [problem, setProblem] = useState('');
  const submit = (event: SubmitEvent): void => {
    event.preventDefault();
    const lines = text.split('\n').map((line) => line.trim());
    const uris = lines.filter(Boolean);
    // Servers refuse the whole answer for one root that is no file URI.
    const wrong = uris.find((uri) => !uri.startsWith('file://') || !URL.canParse(uri));
    setProblem(wrong === undefined ? '' : `${wrong} is no address of a folder: it has to begin with file://`);
    if (wrong === undefined) void send({ roots: uris.map((uri) => ({ uri })) });
  };
  return html`<form onSubmit=${submit}><label for=${id}>Folders it may use <span class="quiet">(one a line, as file:///…)</span></label>
    <textarea id=${id} rows="3" spellcheck=${false} placeholder="file:///home/ada/project" value=${text} onInput=${(event: Event) => setText((event.target as HTMLTextAreaElement).value)}></textarea>
    ${problem ? html`<${Note} tone="fault">${plain(problem)}<//>` : null}
    <div class="actions"><button class="first" disabled=${busy}>Answer</button></div></form>`;
}

function JsonAnswer({ about, busy, send, id }: AnswerProps): VNode {
  const [text, setText] = useState('{}');
  const [problem, setProblem] = useState('');
  const submit = (event: SubmitEvent): void => {
    event.preventDefault();
    try {
      void send(JSON.parse(text));
    } catch (error) {
      setProblem(messageOf(error));
    }
  };
  return html`<pre tabindex="0" role="region" aria-label="What it asks">${json(about)}</pre>
    <form onSubmit=${submit}><label for=${id}>Answer, as JSON</label>
      <textarea id=${id} rows="6" spellcheck=${false} value=${text} onInput=${(event: Event) => setText((event.target as HTMLTextAreaElement).value)}></textarea>
      ${problem ? html`<${Note} tone="fault">${problem}<//>` : null}
      <div class="actions"><button class="first" disabled=${busy}>Answer</button></div></form>`;
}
