/**
 * The pages for operators at `/admin/`: one document that holds nothing of the gateway, and its files.
 * @module
 */
import { Assets } from './assets.ts';
import type { AdminReply, AdminRequest, AdminRoute } from './route.ts';

/** What the pages may do: run their own files, ask their own origin, and make no markup of text. */
export const PAGES_POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; " +
  "frame-ancestors 'none'; base-uri 'none'; form-action 'self'; require-trusted-types-for 'script'; trusted-types 'none'";

const SHELL = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<meta name="color-scheme" content="light dark">
<title>Switchboard</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="assets/pages/style.css">
<script type="module" src="assets/pages/app.js"></script>
</head>
<body>
<div id="app"><noscript>These pages need JavaScript. The same can be done with the commands of switchboard.</noscript></div>
</body>
</html>
`;

const HEADERS = {
  'content-security-policy': PAGES_POLICY,
  'x-frame-options': 'DENY',
  'referrer-policy': 'same-origin',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
};

export function shellRoutes(): AdminRoute[] {
  const assets = new Assets();

  function asset({ params, headers }: AdminRequest): AdminReply {
    const found = assets.get(`${params.folder}/${params.file}`);
    if (!found) return { status: 404, json: { error: { message: 'There is no such file.' } } };
    // The file is asked for again each time, and sent only where it is another one.
    const kept = { ...HEADERS, etag: found.etag, 'cache-control': 'no-cache' };
    if (headers['if-none-match'] === found.etag) return { status: 304, type: found.type, body: '', headers: kept };
    return { type: found.type, body: found.body, headers: kept };
  }

  const shell = ({ url }: AdminRequest): AdminReply =>
    // What the document refers to stands below it.
    /^[^?]*\/$/.test(url)
      ? { type: 'text/html; charset=utf-8', body: SHELL, headers: HEADERS }
      : { status: 302, type: 'text/plain', body: '', headers: { location: 'admin/' } };

  return [
    { method: 'GET', path: '/admin', open: true, handle: shell },
    { method: 'GET', path: '/admin/assets/:folder/:file', open: true, handle: asset },
  ];
}
