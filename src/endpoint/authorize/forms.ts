/**
 * Forms that pages of the gateway post: a small body of one media type, from a page of the gateway's own.
 * @module
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { SwitchboardError } from '../../core/errors.ts';
import { Shares } from '../../core/shares.ts';
import { readBody } from '../http/body.ts';

const MAX_BYTES = 8 * 1024;
/** Too small to be counted. */
const BODY = {
  maxBytes: MAX_BYTES,
  held: new Shares(Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY),
  principal: '',
};

/** The fields of the form. Rejects with a `SwitchboardError` for what is no form, too large or from another origin. */
export async function readForm(req: IncomingMessage, res: ServerResponse, origin: string): Promise<URLSearchParams> {
  requireOrigin(req, origin);
  const type = req.headers['content-type'] ?? '';
  if (!/^application\/x-www-form-urlencoded(?:;|$)/i.test(type)) {
    throw new SwitchboardError('SWB_UNSUPPORTED_MEDIA_TYPE', 'This address takes the form of its page.');
  }
  const body = await new Promise<Buffer>((resolve, reject) => readBody(req, res, BODY, resolve, reject));
  return new URLSearchParams(body.toString());
}

/** Browsers name the page's origin in every POST; an old one names none, and then the form's token alone has to do. */
function requireOrigin({ headers }: IncomingMessage, own: string): void {
  const { origin } = headers;
  const site = headers['sec-fetch-site'];
  if ((origin === undefined || origin === own) && (site === undefined || site === 'same-origin')) return;
  throw new SwitchboardError('SWB_ORIGIN_REFUSED', 'This form was sent from a page of another site.');
}
