/**
 * Which webhooks there may be: of origins that the operator has listed, over https, or on loopback where the operator listed that.
 * @module
 */
import type { TaskPushNotificationConfig } from '@a2a-js/sdk';

const MAX_URL = 2_048;
const MAX_SECRET = 4_096;
const MAX_ID = 128;

/** RFC 9110, section 5.6.2, which a scheme of authentication is. */
const TOKEN = /^[\w!#$%&'*+.^`|~-]{1,64}$/;
/** What a header can hold. */
const VISIBLE = /^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/;

/** Why no webhook is at this address, in a sentence for its client; undefined: one may be. `origins` are those of the configuration. */
export function addressRefusal(text: string, origins: ReadonlySet<string>): string | undefined {
  const url = text.length > MAX_URL ? null : URL.parse(text);
  if (url === null) return `The url of a webhook is an absolute URL of at most ${MAX_URL} characters.`;
  if (url.username !== '' || url.password !== '') return 'The url of a webhook holds no user name and no password.';
  // The origin of a blob: URL is that of the address in it.
  const isWeb = url.protocol === 'https:' || url.protocol === 'http:';
  // Where http is listed it is loopback: the configuration takes no other.
  if (isWeb && origins.has(url.origin)) return undefined;
  return "This gateway sends nothing to the webhook's origin: gateway.agents.pushNotifications.origins lists those it sends to.";
}

/** Why this is no webhook; undefined: it is one. The sentence holds nothing of what the client sent. */
export function webhookRefusal(
  { id, url, token, authentication }: TaskPushNotificationConfig,
  origins: ReadonlySet<string>,
): string | undefined {
  // In 0.3 they are whatever the client sent.
  if (typeof id !== 'string' || id.length > MAX_ID)
    return `The id of a webhook is text of at most ${MAX_ID} characters.`;
  const refusal = addressRefusal(typeof url === 'string' ? url : '', origins);
  if (refusal !== undefined) return refusal;
  if (token !== '' && !isValue(token))
    return `The token of a webhook is text that a header can hold, of at most ${MAX_SECRET} characters.`;
  if (!authentication) return undefined;
  const { scheme, credentials } = authentication;
  if (typeof scheme !== 'string' || !TOKEN.test(scheme))
    return 'The scheme of a webhook is one of HTTP authentication, such as Bearer.';
  if (isValue(credentials)) return undefined;
  return `The authentication of a webhook has credentials that a header can hold, of at most ${MAX_SECRET} characters: the gateway has none of its own.`;
}

const isValue = (text: unknown): boolean => typeof text === 'string' && text.length <= MAX_SECRET && VISIBLE.test(text);
