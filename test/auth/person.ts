/**
 * A person at a browser of their own, as far as the pages of the gateway and of an authorization server need one.
 * @module
 */
import type { Oidc } from '../fixtures/oidc.ts';

export class PersonAtBrowser {
  readonly #oidc: Oidc;
  #cookie: string | undefined;
  /** What the last page said was wrong. */
  #fault = '';

  constructor(oidc: Oidc) {
    this.#oidc = oidc;
  }

  /** Opens the page, types the code of the message, logs in as the account and comes back. */
  async logIn(asked: { url: string; message: string }, account: string): Promise<void> {
    const onward = await this.typeCodeOf(asked);
    if (!onward) throw new Error(`the page did not lead on: ${this.#fault}`);
    const back = await this.followAs(onward, account);
    const text = await (await this.#fetch(new URL(back.headers.get('location') ?? '', asked.url))).text();
    if (!text.includes('You are connected')) throw new Error(`not connected: ${back.status} ${text}`);
  }

  async open(url: string): Promise<string> {
    return (await this.#fetch(new URL(url))).text();
  }

  typeCodeOf({ url, message }: { url: string; message: string }): Promise<URL | undefined> {
    return this.type(url, /\b[A-Z]{4}-[A-Z]{4}\b/.exec(message)?.[0] ?? '');
  }

  /** Where the page leads on; undefined where it does not. */
  async type(url: string, code: string): Promise<URL | undefined> {
    const form = /name="form" value="([^"]*)"/.exec(await this.open(url))?.[1] ?? '';
    const body = new URLSearchParams({ form, code });
    const response = await this.#fetch(new URL(url), {
      method: 'POST',
      body,
      headers: { origin: new URL(url).origin },
    });
    this.#fault = /role="alert">([^<]*)/.exec(await response.text())?.[1] ?? '';
    const onward = response.headers.get('refresh')?.replace('0; url=', '');
    return onward === undefined ? undefined : new URL(onward);
  }

  /** Logs in at the authorization server, and goes where that sends the browser. */
  async followAs(onward: URL, account: string): Promise<Response> {
    return this.#fetch(await this.#oidc.login(onward, account));
  }

  async #fetch(url: URL, init: RequestInit = {}): Promise<Response> {
    const headers = { ...init.headers, ...(this.#cookie === undefined ? {} : { cookie: this.#cookie }) };
    const response = await fetch(url, { ...init, headers, redirect: 'manual' });
    const set = response.headers.get('set-cookie');
    if (set !== null) this.#cookie = set.split(';')[0];
    return response;
  }
}
