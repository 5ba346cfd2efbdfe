/**
 * What ties the pages of one login to one browser: a signed cookie. The page's form, the way to the authorization server and the
 * way back are of the same browser, or the login ends.
 *
 * Over https the cookie is a `__Host-` one, which no other host and no plain page can set. On loopback without TLS it is not:
 * browsers refuse such cookies there, and programs of the same machine on other ports see the cookie. What they could do with
 * it needs the state of a login too.
 * @module
 */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';

const NAME = 'swb-connect';
const MAX_AGE_S = 30 * 60;
const VALUE = /^([\w-]{22})\.([\w-]{43})$/;
/** Of a `Cookie` header that is looked at. */
const MAX_COOKIE_CHARS = 16 * 1024;

export class Browsers {
  readonly #secret: Buffer;

  constructor(secret: Buffer) {
    this.#secret = secret;
  }

  /** The browser that sent this `Cookie` header; undefined where it has none of ours. */
  of(cookies: string | undefined, isSecure: boolean): string | undefined {
    if (cookies === undefined || cookies.length > MAX_COOKIE_CHARS) return undefined;
    const prefix = `${nameOf(isSecure)}=`;
    for (const pair of cookies.split(';')) {
      const text = pair.trim();
      if (!text.startsWith(prefix)) continue;
      const [, id, mac] = VALUE.exec(text.slice(prefix.length)) ?? [];
      if (id !== undefined && mac !== undefined && isSame(mac, this.#mac(`browser\n${id}`))) return id;
    }
    return undefined;
  }

  /** A browser without a cookie gets this one, as `Set-Cookie`. */
  welcome(isSecure: boolean): { id: string; cookie: string } {
    const id = randomBytes(16).toString('base64url');
    const value = `${id}.${this.#mac(`browser\n${id}`)}`;
    // The way back from an authorization server begins at another site: `Strict` would leave the cookie out.
    const attributes = `Path=/; HttpOnly; SameSite=Lax; Max-Age=${MAX_AGE_S}${isSecure ? '; Secure' : ''}`;
    return { id, cookie: `${nameOf(isSecure)}=${value}; ${attributes}` };
  }

  /** What a form of this page has to bring back from this browser. */
  formToken(browser: string, page: string): string {
    return this.#mac(`form\n${browser}\n${page}`);
  }

  isFormToken(browser: string, page: string, token: string | null): boolean {
    return token !== null && isSame(token, this.formToken(browser, page));
  }

  #mac(text: string): string {
    return createHmac('sha256', this.#secret).update(`connect ${text}`).digest('base64url');
  }
}

const nameOf = (isSecure: boolean): string => (isSecure ? `__Host-${NAME}` : NAME);

function isSame(given: string, expected: string): boolean {
  const [a, b] = [Buffer.from(given), Buffer.from(expected)];
  return a.length === b.length && timingSafeEqual(a, b);
}
