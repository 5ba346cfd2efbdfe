/**
 * Addresses as hooks may see them.
 * @module
 */

/** Without user, password, query and fragment: keys travel in all of them. A text that is no URL is shown as none. */
export function plainUrl(text: string): string {
  const url = URL.parse(text);
  if (url === null) return '';
  url.username = '';
  url.password = '';
  url.search = '';
  url.hash = '';
  return url.href;
}
