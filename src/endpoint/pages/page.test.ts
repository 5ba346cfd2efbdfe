import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { foreignName, html } from './html.ts';
import { document, pageHeaders } from './page.ts';

describe('a template', () => {
  it('escapes values and not markup', () => {
    const inner = html`<b>${'<i>'}</b>`;
    expect(html`<p title="${'"\'>&'}">${inner}${[inner, 'x']}${undefined}${false}${0}</p>`.text).toBe(
      '<p title="&quot;&#39;&gt;&amp;"><b>&lt;i&gt;</b><b>&lt;i&gt;</b>x0</p>',
    );
  });

  it('shows a hostile name as text in one line', () => {
    expect(foreignName('<script>alert(1)</script>').text).toBe('<bdi>&lt;script&gt;alert(1)&lt;/script&gt;</bdi>');
    expect(foreignName('Claude\u202Eelgoog\n\n\tCode\u200B').text).toBe('<bdi>Claude\\u202eelgoog Code\\u200b</bdi>');
    expect(foreignName('é'.repeat(500)).text).toBe(`<bdi>${'é'.repeat(79)}…</bdi>`);
  });
});

describe('a page', () => {
  it('may run no script, load nothing and stand in no frame', () => {
    const headers = pageHeaders();
    expect(headers['content-security-policy']).toMatch(
      /^default-src 'none'; style-src 'sha256-[\w+/]+='; img-src data:;/,
    );
    expect(headers['content-security-policy']).toMatch(/frame-ancestors 'none'; form-action 'self'$/);
    expect(headers['cache-control']).toBe('no-store');
  });

  it('holds the very style that its policy allows', () => {
    const text = document({ title: 'A <title>', body: html`<p>Text</p>` });
    const style = /<style>([\s\S]*)<\/style>/.exec(text)?.[1] ?? '';
    const hashed = createHash('sha256').update(style).digest('base64');
    expect(pageHeaders()['content-security-policy']).toContain(`'sha256-${hashed}'`);
    expect(text).toContain('<h1>A &lt;title&gt;</h1>');
  });

  it('lets forms lead to the targets it was given, and to nothing that could write a directive', () => {
    const policy = (target: string) => pageHeaders([target])['content-security-policy'];
    for (const target of [
      'https://app.example',
      'http://127.0.0.1:8787',
      'cursor:',
      'http://localhost:1',
      'com.example.app:',
    ])
      expect(policy(target)).toMatch(new RegExp(`form-action 'self' ${target.replaceAll('.', '\\.')}$`));
    for (const target of ["'unsafe-inline'", "https://a; script-src 'self'", '*', 'https://*', "x: 'self'"])
      expect(policy(target)).toMatch(/form-action 'self'$/);
  });
});
