/**
 * Media types: what a client sends and what it accepts.
 * @module
 */
import { SwitchboardError } from '../../core/errors.ts';

export interface Accepts {
  json: boolean;
  stream: boolean;
  /** The client would rather have a stream: it takes nothing else, weighs it higher or names it first. */
  streamFirst: boolean;
}

const SDK_ACCEPT = 'application/json, text/event-stream';
const SDK_ACCEPTS: Accepts = { json: true, stream: true, streamFirst: false };

const JSON_TYPES = new Set(['application/json', 'application/*', '*/*']);
const STREAM_TYPES = new Set(['text/event-stream', 'text/*', '*/*']);

/**
 * Every revision obliges clients to accept both kinds of reply to a POST. Those that accept one only are served with
 * that one; no header means anything is accepted (RFC 9110 12.5.1).
 */
export function acceptsOf(header: string | undefined): Accepts {
  if (header === undefined || header === SDK_ACCEPT) return SDK_ACCEPTS;
  let json = 0;
  let stream = 0;
  let streamNamedFirst = false;
  for (const part of header.toLowerCase().split(',')) {
    const [type = '', ...parameters] = part.split(';').map((piece) => piece.trim());
    const weight = weightOf(parameters);
    if (weight === 0) continue;
    if (JSON_TYPES.has(type)) json = Math.max(json, weight);
    if (STREAM_TYPES.has(type)) {
      stream = Math.max(stream, weight);
      if (json === 0) streamNamedFirst = true;
    }
  }
  return { json: json > 0, stream: stream > 0, streamFirst: stream > json || (stream === json && streamNamedFirst) };
}

function weightOf(parameters: readonly string[]): number {
  const q = parameters.find((parameter) => parameter.startsWith('q='));
  const weight = q === undefined ? 1 : Number(q.slice(2));
  return Number.isFinite(weight) ? weight : 1;
}

export function requireReplyType(header: string | undefined): Accepts {
  const accepts = acceptsOf(header);
  if (accepts.json || accepts.stream) return accepts;
  throw new SwitchboardError(
    'SWB_NOT_ACCEPTABLE',
    'Replies are application/json or text/event-stream: the Accept header must list both.',
  );
}

export function requireStreamType(header: string | undefined): void {
  if (acceptsOf(header).stream) return;
  throw new SwitchboardError(
    'SWB_NOT_ACCEPTABLE',
    'The reply is a stream: the Accept header must list text/event-stream.',
  );
}

/** A page can send other types without asking first (CORS "simple" requests), so nothing but JSON is read. */
export function requireJsonBody(contentType: string | undefined, contentEncoding: string | undefined): void {
  if (contentEncoding !== undefined && contentEncoding !== 'identity') {
    throw new SwitchboardError('SWB_UNSUPPORTED_MEDIA_TYPE', 'Compressed bodies are not accepted.');
  }
  if (contentType === 'application/json') return;
  const [type, ...parameters] = (contentType ?? '')
    .toLowerCase()
    .split(';')
    .map((piece) => piece.trim());
  const charset = parameters.find((parameter) => parameter.startsWith('charset='))?.slice('charset='.length);
  // A2A has a name of its own for it.
  const isJson = type === 'application/json' || type === 'application/a2a+json';
  if (isJson && (charset === undefined || charset.replaceAll('"', '') === 'utf-8')) return;
  throw new SwitchboardError('SWB_UNSUPPORTED_MEDIA_TYPE', 'The Content-Type must be application/json, in UTF-8.');
}
