/**
 * The one-time code of a request to log in: the person who was asked knows it, and one who was only sent the address does not. It is
 * an HMAC of the request's id, so that nothing is kept that could be read.
 * @module
 */
import { createHmac, timingSafeEqual } from 'node:crypto';

/** Letters that cannot be taken for one another and make no words (RFC 8628, 6.1). */
const LETTERS = 'BCDFGHJKLMNPQRSTVWXZ';
/** 20^8 is 2^34: five tries find one with a chance of 1 to 5,000,000,000. */
const LENGTH = 8;

/** As people read it: `BCDF-GHJK`. */
export function codeFor(secret: Buffer, id: string): string {
  const letters = lettersOf(secret, id);
  return `${letters.slice(0, LENGTH / 2)}-${letters.slice(LENGTH / 2)}`;
}

/** Whether this is the code, however it is written. Takes the same time for every code. */
export function isCodeFor(secret: Buffer, id: string, typed: string): boolean {
  const letters = typed.toUpperCase().replace(/[^A-Z]/g, '');
  const given = createHmac('sha256', secret).update(letters).digest();
  const expected = createHmac('sha256', secret).update(lettersOf(secret, id)).digest();
  return timingSafeEqual(given, expected);
}

function lettersOf(secret: Buffer, id: string): string {
  const bytes = createHmac('sha256', secret).update(`connect code\n${id}`).digest();
  // 64 bits over 20^8: the remainder prefers no code by more than 2^-29.
  let number = bytes.readBigUInt64BE();
  let letters = '';
  for (let i = 0; i < LENGTH; i++) {
    letters += LETTERS[Number(number % 20n)];
    number /= 20n;
  }
  return letters;
}
