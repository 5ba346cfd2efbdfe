/**
 * A browser without JavaScript for tests: cookies by name and path, redirects one at a time, the one form of a page.
 * @module
 */

export interface Visit {
  url: URL;
  status: number;
  text: string;
  headers: Headers;
  /** Where the reply leads, by a redirect or a refresh. */
  next: URL | undefined;
}

export class Browser {
  readonly #cookies = new Map<string, { host: string; name: string; value: string; path: string }>();
  /** Addresses of the last {@link follow}. */
  trail: string[] = [];

  async visit(url: URL | string, init: RequestInit = {}): Promise<Visit> {
    const target = new URL(url);
    const headers = new Headers(init.headers);
    const cookie = [...this.#cookies.values()]
      .filter(({ host, path }) => host === target.host && target.pathname.startsWith(path))
      .map(({ name, value }) => `${name}=${value}`)
      .join('; ');
    if (cookie !== '') headers.set('cookie', cookie);
    const reply = await fetch(target, { ...init, headers, redirect: 'manual' });
    for (const set of reply.headers.getSetCookie()) this.#keep(target, set);
    const refresh = /url=(.*)$/.exec(reply.headers.get('refresh') ?? '')?.[1];
    const location = reply.headers.get('location') ?? refresh;
    return {
      url: target,
      status: reply.status,
      text: await reply.text(),
      headers: reply.headers,
      next: location == null ? undefined : new URL(location, target),
    };
  }

  #keep(from: URL, set: string): void {
    const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(set) ?? [];
    const path = /; *path=([^;]*)/i.exec(set)?.[1] ?? '/';
    const key = `${from.host} ${path} ${name}`;
    if (value === '' || /expires=Thu, 01 Jan 1970/i.test(set)) this.#cookies.delete(key);
    else this.#cookies.set(key, { host: from.host, name, value, path });
  }

  /** The `Cookie` header of a request to the root of this address. */
  cookies(url: URL | string): string {
    const { host } = new URL(url);
    return [...this.#cookies.values()]
      .filter((cookie) => cookie.host === host)
      .map(({ name, value }) => `${name}=${value}`)
      .join('; ');
  }

  /** As a page or server that can write cookies of this host would. */
  set(url: URL | string, name: string, value: string): void {
    this.#keep(new URL(url), `${name}=${value}; Path=/`);
  }

  /** Follows redirects while they stay on http hosts of `within`. */
  async follow(url: URL | string, within: readonly string[], init?: RequestInit): Promise<Visit> {
    this.trail = [];
    let visit = await this.visit(url, init);
    for (let steps = 0; steps < 20 && visit.next && within.includes(visit.next.origin); steps++) {
      this.trail.push(visit.next.href);
      visit = await this.visit(visit.next);
    }
    return visit;
  }

  /** Posts the form of a page, with these fields beside its hidden ones. */
  submit(page: Visit, fields: Readonly<Record<string, string>>, headers: Record<string, string> = {}): Promise<Visit> {
    const body = new URLSearchParams(hiddenFields(page.text));
    for (const [name, value] of Object.entries(fields)) body.set(name, value);
    return this.visit(page.url, { method: 'POST', body, headers: { origin: page.url.origin, ...headers } });
  }
}

export const hiddenFields = (text: string): Record<string, string> =>
  Object.fromEntries(
    [...text.matchAll(/<input type="hidden" name="([^"]*)" value="([^"]*)">/g)].map(([, name = '', value = '']) => [
      name,
      value,
    ]),
  );
