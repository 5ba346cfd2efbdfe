/**
 * Pages for persons in a browser: one shell and one set of headers. They run no script, load nothing, cannot be framed, are not
 * stored, and send their address to no other site.
 * @module
 */
import type { OutgoingHttpHeaders, ServerResponse } from 'node:http';
import { sha256 } from '../../core/hash.ts';
import { Html, html } from './html.ts';
import { STYLE } from './style.ts';

export interface Page {
  /** What the person is to do or learn, in a few words. */
  title: string;
  /** What stands under the title, which is the page's only `h1`. */
  body: Html;
  /** HTTP status. Default: 200. */
  status?: number;
  /**
   * Where forms may lead besides this origin, as sources of a Content Security Policy (`https://app.example`, `cursor:`): browsers
   * apply it to redirects after a form too.
   */
  formTargets?: readonly string[];
}

const STYLE_SOURCE = `'sha256-${sha256(STYLE, 'base64')}'`;

/** A source is no place for a separator: one that holds any could write directives of its own. */
const SOURCE = /^[a-z][a-z0-9+.-]*:(?:\/\/[a-z0-9.-]+(?::\d{1,5})?)?$/;

/** The headers of every page. */
export function pageHeaders(formTargets: readonly string[] = []): OutgoingHttpHeaders {
  const targets = formTargets.filter((source) => SOURCE.test(source));
  return {
    'content-type': 'text/html; charset=utf-8',
    'cache-control': 'no-store',
    'content-security-policy':
      `default-src 'none'; style-src ${STYLE_SOURCE}; img-src data:; base-uri 'none'; frame-ancestors 'none'; ` +
      `form-action ${["'self'", ...targets].join(' ')}`,
    'x-frame-options': 'DENY',
    'x-content-type-options': 'nosniff',
    // Not `no-referrer`: browsers would send "Origin: null" with the forms of the page.
    'referrer-policy': 'same-origin',
  };
}

/** The whole document. */
export function document({ title, body }: Pick<Page, 'title' | 'body'>): string {
  const { text } = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>${title} – Switchboard</title>
<link rel="icon" href="data:,">
${STYLE_TAG}
</head>
<body>
<main>
<header>${MARK}<span>Switchboard</span></header>
<h1>${title}</h1>
${body}
</main>
</body>
</html>
`;
  return text;
}

/** Not escaped: it has to be the very text that was hashed. */
const STYLE_TAG = new Html(`<style>${STYLE}</style>`);

const MARK = html`<svg viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="2" stroke-linecap="round" aria-hidden="true"><circle cx="5" cy="6" r="2"/><circle cx="5" cy="18" r="2"/><circle cx="19" cy="12" r="2"/><path d="M7 6c6 0 4 6 10 6M7 18c6 0 4-6 10-6"/></svg>`;

export function sendPage(res: ServerResponse, page: Page): void {
  const text = document(page);
  res.writeHead(page.status ?? 200, {
    ...pageHeaders(page.formTargets),
    'content-length': Buffer.byteLength(text),
  });
  res.end(text);
}
