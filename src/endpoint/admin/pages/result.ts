/** What came back of a request that was tried: texts, pictures, messages, and all of it as JSON. */
import type { VNode } from 'preact';
import { html, ms, Name, plain } from './ui.ts';

interface Block {
  type?: string;
  text?: string;
  data?: string;
  mimeType?: string;
  uri?: string;
  name?: string;
  blob?: string;
  resource?: Block;
}

/** Longer texts are cut: the page stays usable. */
const MAX_SHOWN = 200_000;
/** Blocks at once. */
const MAX_BLOCKS = 100;
const MAX_PICTURE = 4_000_000;

export function Result({ result, took }: { result: Record<string, unknown>; took: number }): VNode {
  const blocks = listOf(result.content) ?? listOf(result.contents);
  const messages = listOf(result.messages) as { role?: string; content?: Block | Block[] }[] | undefined;
  const isError = result.isError === true;
  const structured = result.structuredContent;
  return html`<section class=${`result${isError ? ' failed' : ''}`} aria-label="Result">
    <h3>${isError ? 'The tool reports an error' : 'Result'} <span class="quiet">${ms(took)}</span></h3>
    ${blocks?.slice(0, MAX_BLOCKS).map((block, index) => html`<${Shown} key=${index} block=${block} />`)}
    ${messages?.slice(0, MAX_BLOCKS).map(
      ({ role, content }, index) => html`<div key=${index} class="message"><p class="role">${plain(role ?? '')}</p>
        ${[content].flat().map((block, at) => (block ? html`<${Shown} key=${at} block=${block} />` : null))}</div>`,
    )}
    ${
      structured === undefined
        ? null
        : html`<details open=${(blocks ?? []).length === 0}><summary>Structured</summary>
        <pre tabindex="0" role="region" aria-label="Structured result">${json(structured)}</pre></details>`
    }
    <details open=${!blocks?.length && !messages?.length && structured === undefined}><summary>As JSON</summary>
      <pre tabindex="0" role="region" aria-label="Result as JSON">${json(result)}</pre></details>
  </section>`;
}

const listOf = (value: unknown): Block[] | undefined =>
  Array.isArray(value) ? value.filter((each): each is Block => typeof each === 'object' && each !== null) : undefined;

export const json = (value: unknown): string => cut(plain(JSON.stringify(value, null, 2) ?? ''));
const cut = (text: string): string =>
  text.length > MAX_SHOWN
    ? `${text.slice(0, MAX_SHOWN)}\n… ${(text.length - MAX_SHOWN).toLocaleString('en')} more characters`
    : text;

function Shown({ block }: { block: Block }): VNode {
  const { type, text, data, mimeType = '', uri, name, blob, resource } = block;
  if (resource) return html`<${Shown} block=${resource} />`;
  const about =
    uri === undefined
      ? null
      : html`<p class="quiet"><${Name} of=${uri} />${mimeType ? `, ${plain(mimeType)}` : ''}</p>`;
  if (typeof text === 'string') {
    return html`${about}<pre tabindex="0" role="region" aria-label="Text of the result">${cut(plain(text))}</pre>`;
  }
  const bytes = data ?? blob;
  if (
    typeof bytes === 'string' &&
    /^image\/(?:png|jpe?g|gif|webp|avif)$/.test(mimeType) &&
    bytes.length < MAX_PICTURE
  ) {
    return html`${about}<p><img class="picture" src=${`data:${mimeType};base64,${bytes.replace(/[^\w+/=-]/g, '')}`} alt="Picture of the result" /></p>`;
  }
  if (typeof bytes === 'string') {
    return html`${about}<p class="quiet">${plain(type ?? 'data')}, ${plain(mimeType)}, about ${Math.round((bytes.length * 3) / 4).toLocaleString('en')} bytes</p>`;
  }
  if (uri !== undefined) return html`<p><${Name} of=${name ?? uri} /> ${about}</p>`;
  return html`<pre tabindex="0" role="region" aria-label="Part of the result">${json(block)}</pre>`;
}
