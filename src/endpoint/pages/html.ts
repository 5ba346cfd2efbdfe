/**
 * HTML from templates whose values are escaped: text of clients, servers and persons can never become markup.
 * @module
 */
import { visibleText } from '../../core/visible.ts';

/** Markup. Everything but constant text comes from {@link html}. */
export class Html {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

type Value = Html | string | number | false | undefined | readonly Value[];

/** Markup of a template. Values are escaped unless they are markup; lists stand one after another; `false` and undefined are nothing. */
export function html(parts: TemplateStringsArray, ...values: readonly Value[]): Html {
  let text = parts[0] as string;
  values.forEach((value, index) => {
    text += written(value) + (parts[index + 1] as string);
  });
  return new Html(text);
}

function written(value: Value): string {
  if (value instanceof Html) return value.text;
  if (typeof value === 'object') return value.map(written).join('');
  return value === undefined || value === false ? '' : escapeHtml(String(value));
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** The text as it may stand between tags and in quoted attributes. */
export const escapeHtml = (text: string): string => text.replace(/[&<>"']/g, (character) => ENTITIES[character] ?? '');

/**
 * A name that a client or a server chose, in a `bdi` element: what turns text around or cannot be seen is spelled
 * out, line breaks are spaces, and what is longer than `max` characters is cut.
 */
export function foreignName(name: string, max = 80): Html {
  const line = visibleText(name.replace(/[\s\p{Cc}]+/gu, ' ').trim());
  const characters = [...line];
  const shown = characters.length > max ? `${characters.slice(0, max - 1).join('')}…` : line;
  return html`<bdi>${shown}</bdi>`;
}
