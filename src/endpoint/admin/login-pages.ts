/**
 * What a browser shows that comes back from the identity provider and is not let in.
 * @module
 */
import { foreignName, html } from '../pages/html.ts';
import type { Page } from '../pages/page.ts';

/** From `/admin/login/callback` to the pages. */
const BACK = html`<div class="actions"><a class="button first" href="../">Back to the login</a></div>`;

export const notLoggedInPage = (why: string, status = 403): Page => ({
  title: 'You are not logged in',
  status,
  body: html`<p class="fault" role="alert">${why}</p>${BACK}`,
});

/** `at`: where the person is logged in. */
export const strangerPage = (name: string, at: string): Page => ({
  title: 'Nothing here is open to you',
  status: 403,
  body: html`
<p class="fault" role="alert">You are logged in, but you are no operator of this gateway.</p>
<dl>
<div><dt>You are logged in as</dt><dd>${foreignName(name)}</dd></div>
<div><dt>At</dt><dd>${foreignName(at)}</dd></div>
</dl>
<p>Whoever runs this gateway decides who is one, by what <strong>${foreignName(at)}</strong> says of you, such as your groups. To come
back as somebody else, log out there first.</p>
${BACK}`,
});
