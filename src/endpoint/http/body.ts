/**
 * Reads request bodies, never more than allowed.
 * @module
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { SwitchboardError } from '../../core/errors.ts';
import type { Shares } from '../../core/shares.ts';
import { ChunkBuffer } from '../../wire/chunk-buffer.ts';

const EMPTY = Buffer.alloc(0);

export interface BodyLimits {
  maxBytes: number;
  /** Bytes of bodies that are not complete, by principal. One that comes in one piece is not counted. */
  held: Shares;
  principal: string;
}

/**
 * Gathers the body and calls one of the two, once. Nothing is called when the client breaks off. After `failed` the
 * rest of the body is still on its way: see {@link endUnread}.
 */
export function readBody(
  req: IncomingMessage,
  res: ServerResponse,
  { maxBytes, held, principal }: BodyLimits,
  done: (body: Buffer) => void,
  failed: (error: SwitchboardError) => void,
): void {
  if (req.readableEnded) {
    const body = bodyReadBefore(req);
    if (body === undefined) failed(new SwitchboardError('SWB_INTERNAL', ALREADY_READ));
    else if (body.length > maxBytes) failed(tooLarge(maxBytes));
    else done(body);
    return;
  }
  const length = Number(req.headers['content-length'] ?? 0);
  if (length > maxBytes) {
    failed(tooLarge(maxBytes));
    return;
  }
  if (req.headers.expect !== undefined) res.writeContinue();
  let first: Buffer | undefined;
  let whole: ChunkBuffer | undefined;
  let size = 0;
  let counted = 0;
  const give = (): void => {
    held.give(principal, counted);
    counted = 0;
  };
  const stop = (error: SwitchboardError): void => {
    req.off('data', onData);
    req.off('end', onEnd);
    give();
    failed(error);
  };
  const onData = (chunk: Buffer): void => {
    size += chunk.length;
    if (size > maxBytes) stop(tooLarge(maxBytes));
    else if (first === undefined && size === length) first = chunk;
    else if (!held.tryTake(principal, chunk.length)) {
      stop(held.refusal('SWB_BUSY', 'bytes of unfinished request bodies', principal, chunk.length));
    } else {
      if (counted === 0) req.on('close', give);
      counted += chunk.length;
      if (first === undefined) first = chunk;
      else {
        if (!whole) {
          whole = new ChunkBuffer();
          whole.add(first);
        }
        whole.add(chunk);
      }
    }
  };
  const onEnd = (): void => {
    if (counted > 0) give();
    done(whole?.take() ?? first ?? EMPTY);
  };
  req.on('data', onData);
  req.on('end', onEnd);
}

const ALREADY_READ =
  'The request body was read before the gateway got the request. Mount the gateway before whatever reads bodies.';

/**
 * What a body parser in front of the gateway made of the body (`req.body`, as in Express). Written as JSON again it may
 * differ from what was sent: a parser that gives a `Buffer` or a text loses nothing.
 */
function bodyReadBefore(req: IncomingMessage & { body?: unknown }): Buffer | undefined {
  const { body } = req;
  if (body === undefined || Buffer.isBuffer(body)) return body;
  return Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));
}

function tooLarge(maxBytes: number): SwitchboardError {
  return new SwitchboardError(
    'SWB_BODY_TOO_LARGE',
    `The body is over ${maxBytes} bytes. Send less, or raise gateway.limits.maxBodyBytes.`,
  );
}

/** How long, and how much, is still read of a client that keeps on sending after it was refused. */
const LINGER_MS = 1_000;
const LINGER_BYTES = 16 * 1024 * 1024;

/** True when a body is coming that is too large to be read to its end for the sake of the connection. */
export function hasUnreadBody(req: IncomingMessage, maxBytes: number): boolean {
  if (req.complete) return false;
  const declared = req.headers['content-length'];
  return declared === undefined ? req.headers['transfer-encoding'] !== undefined : Number(declared) > maxBytes;
}

/**
 * Sends a whole reply (head and body already chosen) and closes the connection politely: a connection closed while
 * bytes arrive is reset, and the reply can be lost with it. So the rest is read for a moment, and dropped. A principal
 * that sends too much has it wait instead: reading it would cost others their time.
 */
export function endUnread(req: IncomingMessage, res: ServerResponse, body: string, reads: boolean): void {
  let dropped = 0;
  const end = (): void => {
    clearTimeout(timer);
    req.off('data', onData);
    res.end();
    res.socket?.destroySoon();
  };
  const onData = (chunk: Buffer): void => {
    dropped += chunk.length;
    if (dropped > LINGER_BYTES) end();
  };
  const timer = setTimeout(end, LINGER_MS);
  if (reads) req.on('data', onData);
  else req.pause();
  req.on('end', end);
  req.on('close', end);
  res.write(body);
}
