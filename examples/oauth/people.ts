/**
 * Who sits at the browsers of the example: a person, to whom addresses are shown, or this script, which reads pages, fills in their
 * forms and follows where they lead, without JavaScript.
 * @module
 */
import { bold, note, say } from '../demo/screen.ts';

export interface BrowserOf {
  /** Opens a page that a program asks for, with the words that go with it. Resolves with whether the person agreed to. */
  open(url: URL, message: string): Promise<boolean>;
}

/** Shows the address, for the reader to open. */
export const realPerson = (): BrowserOf => ({
  open(url, message) {
    note(message);
    say(`Open in your browser:  ${bold(url.href)}`);
    return Promise.resolve(true);
  },
});

/** By the origin of a page and the name of a field. */
export type Answers = Readonly<Record<string, Readonly<Record<string, string>>>>;

const MAX_STEPS = 40;

/** A person with a browser of their own, and what they type. */
export function scriptedPerson(name: string, answers: Answers): BrowserOf {
  const cookies = new Map<string, string>();

  async function load(url: URL, init: RequestInit = {}): Promise<{ text: string; next: URL | undefined }> {
    const sent = [...cookies].filter(([key]) => key.startsWith(`${url.host} `));
    const cookie = sent.map(([key, value]) => `${key.slice(url.host.length + 1)}=${value}`).join('; ');
    const response = await fetch(url, { ...init, redirect: 'manual', headers: { ...init.headers, cookie } });
    for (const set of response.headers.getSetCookie()) {
      const [, key = '', value = ''] = /^([^=]+)=([^;]*)/.exec(set) ?? [];
      if (value === '') cookies.delete(`${url.host} ${key}`);
      else cookies.set(`${url.host} ${key}`, value);
    }
    const refresh = /url=(.*)$/.exec(response.headers.get('refresh') ?? '')?.[1];
    const target = response.headers.get('location') ?? refresh;
    return { text: await response.text(), next: target == null ? undefined : new URL(target, url) };
  }

  async function follow(start: URL, code: string): Promise<void> {
    let url = start;
    let init: RequestInit = {};
    for (let step = 0; step < MAX_STEPS; step++) {
      const { text, next } = await load(url, init);
      const title = unescaped(/<h1>([\s\S]*?)<\/h1>/.exec(text)?.[1] ?? '');
      if (next) {
        if (title !== '') say(`${name} sees “${title}” at ${url.host}, and is sent on to ${next.host}.`);
        [url, init] = [next, {}];
        continue;
      }
      const form = formOf(text);
      if (!form) {
        say(`${name} sees “${title}” at ${url.host}.`);
        return;
      }
      const known: Readonly<Record<string, string>> = { ...answers[url.origin], code };
      const typed = form.fields.filter((field) => known[field]);
      for (const field of typed) form.values.set(field, known[field] as string);
      const what = typed.length > 0 ? `, types ${typed.join(' and ')},` : '';
      say(`${name} sees “${title}” at ${url.host}${what} and presses “${form.button}”.`);
      init = { method: 'POST', body: form.values, headers: { origin: url.origin } };
    }
    throw new Error(`${name} is sent from page to page without an end.`);
  }

  return {
    async open(url, message) {
      note(message);
      await follow(url, /\b[A-Z]{4}-[A-Z]{4}\b/.exec(message)?.[0] ?? '');
      return true;
    },
  };
}

interface Form {
  values: URLSearchParams;
  /** Names of the fields that are seen. */
  fields: string[];
  /** The first one; it is pressed. */
  button: string;
}

function formOf(text: string): Form | undefined {
  const [, body] = /<form[^>]*>([\s\S]*?)<\/form>/.exec(text) ?? [];
  if (body === undefined) return undefined;
  const form: Form = { values: new URLSearchParams(), fields: [], button: '' };
  for (const [tag] of body.matchAll(/<input[^>]*>/g)) {
    const name = attribute(tag, 'name');
    if (attribute(tag, 'type') === 'hidden') form.values.set(name, attribute(tag, 'value'));
    else form.fields.push(name);
  }
  const [, tag = '', label = ''] = /(<button[^>]*>)([\s\S]*?)<\/button>/.exec(body) ?? [];
  const name = attribute(tag, 'name');
  if (name !== '') form.values.set(name, attribute(tag, 'value'));
  return { ...form, button: unescaped(label) };
}

const attribute = (tag: string, name: string): string =>
  unescaped(new RegExp(`\\s${name}="([^"]*)"`).exec(tag)?.[1] ?? '');

const unescaped = (text: string): string =>
  text
    .replace(/<[^>]*>/g, '')
    .replace(/&(?:lt|gt|quot|#39|amp);/g, (entity) => ENTITIES[entity] ?? entity)
    .trim();

const ENTITIES: Readonly<Record<string, string>> = {
  '&lt;': '<',
  '&gt;': '>',
  '&quot;': '"',
  '&#39;': "'",
  '&amp;': '&',
};
