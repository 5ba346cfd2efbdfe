import type { ServerResponse } from 'node:http';
import * as zlib from 'node:zlib';
import { afterEach, describe, expect, it } from 'vitest';
import { type RawServer, startRawServer } from '../testing/faults.ts';
import { HttpOrigin } from './origin.ts';

const CODINGS: readonly [string, (body: Buffer) => Buffer][] = [
  ['gzip', (body) => zlib.gzipSync(body)],
  ['x-gzip', (body) => zlib.gzipSync(body)],
  ['deflate', (body) => zlib.deflateSync(body)],
  ['deflate', (body) => zlib.deflateRawSync(body)],
  ['br', (body) => zlib.brotliCompressSync(body)],
  ['zstd', (body) => zlib.zstdCompressSync(body)],
  ['GZIP, br', (body) => zlib.brotliCompressSync(zlib.gzipSync(body))],
  ['identity', (body) => body],
];

const BODY = Buffer.from(JSON.stringify({ text: 'ü'.repeat(30_000), list: Array.from({ length: 500 }, (_, i) => i) }));

const open: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close();
});

async function origin(answer: (response: ServerResponse) => void, maxReplyBytes = 1024 * 1024): Promise<HttpOrigin> {
  const server: RawServer = await startRawServer((_request, response) => answer(response));
  const found = new HttpOrigin({
    origin: server.origin,
    name: 'packed',
    maxReplyBytes,
    guard: undefined,
    credentials: undefined,
  });
  open.push(server, found);
  return found;
}

const get = { method: 'GET', path: '/', headers: {} } as const;

describe('a reply that its server has compressed', () => {
  it.each(CODINGS)('as %s is read as if it were not', async (coding, pack) => {
    const target = await origin((response) => response.writeHead(200, { 'content-encoding': coding }).end(pack(BODY)));
    expect((await target.collect(get)).body.equals(BODY)).toBe(true);
  });

  it('is read when its bytes come one at a time', async () => {
    const target = await origin((response) => {
      response.writeHead(200, { 'content-encoding': 'gzip' });
      for (const byte of zlib.gzipSync('{"a":1}')) response.write(Buffer.from([byte]));
      response.end();
    });
    expect((await target.collect(get)).body.toString()).toBe('{"a":1}');
  });

  it('is empty where the response has no body', async () => {
    const target = await origin((response) => response.writeHead(202, { 'content-encoding': 'gzip' }).end());
    expect(await target.collect(get)).toMatchObject({ status: 202, body: Buffer.alloc(0) });
  });

  it('shows what has come of a stream before the stream ends', async () => {
    const target = await origin((response) => {
      response.writeHead(200, { 'content-encoding': 'gzip' });
      const packer = zlib.createGzip();
      packer.pipe(response);
      packer.write('first');
      packer.flush(zlib.constants.Z_SYNC_FLUSH);
    });
    const seen = await target.exchange<string>(get, undefined, (_head, done, fail) => ({
      data: (chunk) => done(chunk.toString()),
      end() {},
      error: fail,
    }));
    expect(seen).toBe('first');
  });

  it.each([
    ['gzip', (body: Buffer) => zlib.gzipSync(body)],
    ['br', (body: Buffer) => zlib.brotliCompressSync(body)],
    ['zstd', (body: Buffer) => zlib.zstdCompressSync(body)],
  ])('as %s is refused once it is larger than a reply may be', async (coding, pack) => {
    const bomb = pack(Buffer.alloc(64 * 1024 * 1024));
    const target = await origin((response) => response.writeHead(200, { 'content-encoding': coding }).end(bomb));
    const before = process.memoryUsage().arrayBuffers;
    await expect(target.collect(get)).rejects.toMatchObject({ code: 'SWB_REPLY_TOO_LARGE' });
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(32 * 1024 * 1024);
  });

  it.each([
    ['in a way that is not known', 'compress', BODY, /as 'compress'/],
    ['more often than anyone does', 'gzip, gzip, gzip, gzip', BODY, /4 times/],
    ['wrongly', 'gzip', Buffer.from('not gzip at all'), /cannot be read/],
  ])('%s is an error that says so', async (_how, coding, body, says) => {
    const target = await origin((response) => response.writeHead(200, { 'content-encoding': coding }).end(body));
    const failure = target.collect(get);
    await expect(failure).rejects.toMatchObject({ code: 'SWB_UPSTREAM_PROTOCOL' });
    await expect(failure).rejects.toThrow(says);
  });

  it('can be given up while it is read', async () => {
    const target = await origin((response) => {
      response.writeHead(200, { 'content-encoding': 'gzip' });
      const packer = zlib.createGzip();
      packer.pipe(response);
      packer.write('first');
      packer.flush(zlib.constants.Z_SYNC_FLUSH);
    });
    const aborting = new AbortController();
    const collected = target.collect(get, aborting.signal);
    setTimeout(() => aborting.abort(new Error('given up')), 50);
    await expect(collected).rejects.toThrow('given up');
  });
});
