/**
 * The pages of the example's own servers, as plain as they can be.
 * @module
 */
const STYLE = `:root { color-scheme: light dark; font: 1rem/1.5 system-ui, sans-serif; } body { max-width: 26rem; margin: 3rem auto; padding: 0 1rem; }
label { display: block; margin: 1rem 0; } input { display: block; width: 100%; box-sizing: border-box; padding: .5rem; font: inherit; }
button { padding: .5rem 1rem; font: inherit; }`;

/** `title` and text of others in `body` are the example's own. */
export const page = (title: string, body: string): string => `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title><link rel="icon" href="data:,"><style>${STYLE}</style></head>
<body><main><h1>${title}</h1>${body}</main></body></html>
`;
