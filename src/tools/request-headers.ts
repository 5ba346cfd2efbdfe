/**
 * Headers a caller of `connectServer` may have sent to the server: what the configuration accepts, bounded.
 * @module
 */
import { z } from 'zod';
import { checkHeaders } from '../config/headers.ts';
import { Findings } from '../config/mistakes.ts';

const MAX_HEADERS = 32;
const MAX_VALUE = 8_192;

export const requestHeaders = z
  .record(z.string().max(256), z.string().max(MAX_VALUE))
  .superRefine((headers, context) => {
    const count = Object.keys(headers).length;
    if (count > MAX_HEADERS) {
      context.addIssue({ code: 'custom', message: `found ${count} headers; allowed: at most ${MAX_HEADERS}` });
      return;
    }
    const findings = new Findings();
    checkHeaders(headers, [], findings);
    for (const { path, problem } of findings.mistakes) {
      context.addIssue({ code: 'custom', path: [...path], message: problem });
    }
  });

/** Names in lower case, as HTTP treats them. */
export const plainHeaders = (headers: Readonly<Record<string, string>> = {}): Record<string, string> =>
  checkHeaders(headers, [], new Findings());
