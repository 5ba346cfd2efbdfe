/** What every page is made of: templates, text of others made harmless, small parts. */
import htm from 'htm';
import { type ComponentChildren, h, type VNode } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';

type Template = (parts: TemplateStringsArray, ...values: unknown[]) => VNode;

/** Markup of a template: `html`. Its types say `export default` of what is a function that can be bound. */
export const html = (htm as unknown as { bind(make: typeof h): Template }).bind(h);

export type Children = ComponentChildren;

const INVISIBLE = /(?![\ufe00-\ufe0f])[\p{Cf}\p{Co}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/gu;

/** Text of servers and clients: what cannot be seen, or turns text around, is spelled out. */
export const plain = (text: string): string =>
  text.replace(INVISIBLE, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);

/** A name that a server or a client chose. It cannot turn around the text beside it. */
export const Name = ({ of }: { of: string }): VNode => html`<bdi class="name">${plain(of)}</bdi>`;

export const TONES: Readonly<Record<string, string>> = {
  ready: 'good',
  ok: 'good',
  allow: 'good',
  approved: 'good',
  connecting: 'wait',
  configured: 'wait',
  running: 'wait',
  pending: 'wait',
  approve: 'wait',
  shadow: 'wait',
  degraded: 'bad',
  stopped: 'bad',
  error: 'bad',
  'tool-error': 'bad',
  timeout: 'bad',
  denied: 'bad',
  deny: 'bad',
};

/** A word with a dot in the colour of what it means. */
export const Badge = ({ of, tone = TONES[of] ?? 'none' }: { of: string; tone?: string }): VNode =>
  html`<span class=${`badge ${tone}`}>${of}</span>`;

export function Note({
  tone = 'info',
  children,
}: {
  tone?: 'info' | 'fault' | 'good' | 'warn';
  children?: Children;
}): VNode {
  return html`<div class=${`note ${tone}`} role=${tone === 'fault' ? 'alert' : 'status'}>${children}</div>`;
}

export const Empty = ({ children }: { children?: Children }): VNode => html`<p class="empty">${children}</p>`;

export function Page({
  title,
  about,
  actions,
  children,
}: {
  title: string;
  about?: Children;
  actions?: Children;
  children?: Children;
}): VNode {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    document.title = `${title} – Switchboard`;
    // Who uses a screen reader hears that the page has changed.
    if (location.hash.length > 2) heading.current?.focus();
  }, [title]);
  return html`<header class="page">
      <div>
        <h1 ref=${heading} tabindex="-1">${title}</h1>
        ${about ? html`<p class="about">${about}</p>` : null}
      </div>
      ${actions ? html`<div class="actions">${actions}</div>` : null}
    </header>
    ${children}`;
}

/** A part of a page, under a heading of its own. `id` tells it from the others. */
export const Part = ({
  id,
  title,
  about,
  actions,
  children,
}: {
  id: string;
  title: string;
  about?: Children;
  actions?: Children;
  children?: Children;
}): VNode => html`<section class="part" aria-labelledby=${`part-${id}`}>
  <header><div><h2 id=${`part-${id}`}>${title}</h2>${about ? html`<p class="about">${about}</p>` : null}</div>
    ${actions ? html`<div class="actions">${actions}</div>` : null}</header>
  ${children}
</section>`;

/** A dialog that keeps the focus inside, ends with Escape, and gives the focus back. One that is `kept` stays after a click beside it. */
export function Dialog({
  title,
  onClose,
  children,
  wide = false,
  kept = false,
}: {
  title: Children;
  onClose: () => void;
  children?: Children;
  wide?: boolean;
  kept?: boolean;
}): VNode {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const before = document.activeElement;
    dialog.current?.showModal();
    return () => {
      if (before instanceof HTMLElement) before.focus();
    };
  }, []);
  return html`<dialog ref=${dialog} class=${wide ? 'wide' : ''} aria-labelledby="dialog-title" onClose=${onClose}
      onClick=${(event: MouseEvent) => !kept && event.target === dialog.current && dialog.current?.close()}>
    <div class="dialog">
      <header><h2 id="dialog-title">${title}</h2>
        <button type="button" class="icon" aria-label="Close" onClick=${() => dialog.current?.close()}>×</button></header>
      ${children}
    </div>
  </dialog>`;
}

/** Text to be copied. */
export function Copyable({ text, label, language = '' }: { text: string; label: string; language?: string }): VNode {
  const shown = useRef<HTMLPreElement>(null);
  const [said, setSaid] = useState('');
  useEffect(() => setSaid(''), [text]);
  const copy = async (): Promise<void> => {
    try {
      await navigator.clipboard.writeText(text);
      setSaid('Copied');
    } catch {
      // Browsers have no clipboard for pages without TLS on a network.
      if (shown.current) getSelection()?.selectAllChildren(shown.current);
      setSaid('Selected: copy it with the keyboard');
    }
  };
  return html`<div class="copyable">
    <pre ref=${shown} tabindex="0" role="region" aria-label=${label} data-language=${language}>${text}</pre>
    <p><button type="button" aria-label=${`Copy: ${label}`} onClick=${copy}>Copy</button><span role="status" class="quiet">${said}</span></p>
  </div>`;
}

export function Diff({ lines }: { lines: readonly { kind: string; text: string }[] }): VNode {
  const signs: Record<string, string> = { added: '+', removed: '−', same: ' ', skipped: '⋯' };
  return html`<pre class="diff" tabindex="0" aria-label="What changes">${lines.map(
    ({ kind, text }) => html`<span class=${kind}><i>${signs[kind] ?? ' '}</i>${plain(text)}${'\n'}</span>`,
  )}</pre>`;
}

export const ms = (value: number | undefined): string => {
  if (value === undefined) return '';
  if (value < 1_000) return `${value < 10 ? Math.round(value * 10) / 10 : Math.round(value)} ms`;
  return `${Math.round(value / 100) / 10} s`;
};

export const clock = (iso: string): string => new Date(iso).toLocaleTimeString([], { hour12: false });

const UNITS: readonly [Intl.RelativeTimeFormatUnit, number][] = [
  ['day', 86_400],
  ['hour', 3_600],
  ['minute', 60],
];

/** `3 minutes ago`, `in 2 hours`. */
export function relative(iso: string, now = Date.now()): string {
  const seconds = (Date.parse(iso) - now) / 1_000;
  const words = new Intl.RelativeTimeFormat('en', { numeric: 'auto' });
  for (const [unit, length] of UNITS)
    if (Math.abs(seconds) >= length) return words.format(Math.trunc(seconds / length), unit);
  return words.format(Math.trunc(seconds), 'second');
}

export const plural = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? '' : 's'}`;

/** Invisible on the screen, read aloud. */
export const Unseen = ({ children }: { children?: Children }): VNode => html`<span class="unseen">${children}</span>`;
