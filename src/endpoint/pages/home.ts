/**
 * The page at `/`: what this is, where clients connect, and where to go. It holds nothing that a stranger may not know.
 * @module
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { html } from './html.ts';
import { sendPage } from './page.ts';

/** Whether a browser asks: programs that accept anything get what they got before there was a page. */
export const wantsPage = ({ method, headers }: IncomingMessage): boolean =>
  (method === 'GET' || method === 'HEAD') && headers.accept?.includes('text/html') === true;

/** `base` is where the gateway is reached. */
export function sendHome(res: ServerResponse, base: string, hasPages: boolean): void {
  const at = base.replace(/\/$/, '');
  sendPage(res, {
    title: 'One endpoint for all your servers',
    body: html`<p>This is a Switchboard: a gateway that stands in front of MCP servers and agents. Clients connect to it once and
reach all of them.</p>
<dl>
<div><dt>Clients connect to</dt><dd><code>${at}/mcp</code></dd></div>
<div><dt>One server alone</dt><dd><code>${at}/servers/&lt;name&gt;/mcp</code></dd></div>
</dl>
${hasPages && html`<p class="actions"><a class="button first" href="admin/">Open the pages for operators</a></p>`}`,
  });
}
