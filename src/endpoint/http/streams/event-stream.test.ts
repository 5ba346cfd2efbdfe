import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { Shares } from '../../../core/shares.ts';
import { TimerWheel } from '../../../core/timer-wheel.ts';
import { type EventStream, EventStreams } from './event-stream.ts';

const servers: Server[] = [];
const sockets: Socket[] = [];
afterEach(() => {
  for (const socket of sockets.splice(0)) socket.destroy();
  for (const server of servers.splice(0)) server.close();
});

/** A stream that is open, and its bytes on the wire up to a text that they end with. */
async function opened(): Promise<{ stream: EventStream; until(end: string): Promise<string> }> {
  const streams = new EventStreams(new TimerWheel(60_000), 60_000, new Shares(10, 10));
  const opening = Promise.withResolvers<EventStream>();
  const server = createServer((_req, res) => opening.resolve(streams.tryOpen(res, 'ann') as EventStream));
  servers.push(server);
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1').setEncoding('utf8');
  sockets.push(socket);
  socket.write('POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n');
  let text = '';
  socket.on('data', (more: string) => {
    text += more;
  });
  const until = async (end: string): Promise<string> => {
    while (!text.endsWith(end)) await once(socket, 'data');
    return text;
  };
  return { stream: await opening.promise, until };
}

const HEAD_END = '\r\n\r\n';
const LAST_CHUNK = '0\r\n\r\n';

describe('a stream of events', () => {
  it('tells its client that it is open before anything is written', async () => {
    const { until } = await opened();
    expect(await until(HEAD_END)).toContain('content-type: text/event-stream');
  });

  it('sends what is written in one turn in one chunk, in its order, and the last of it with the end', async () => {
    const { stream, until } = await opened();
    await until(HEAD_END);
    stream.write('data: 1\n\n');
    stream.write('data: ü\n\n');
    await until('data: ü\n\n\r\n');
    stream.write('data: 3\n\n');
    stream.write(Buffer.from('data: 4\n\n'));
    stream.write('data: 5\n\n');
    stream.end();
    stream.write('data: 6\n\n');
    const [, body] = (await until(LAST_CHUNK)).split(/\r\n\r\n(.*)/s);
    expect(body).toBe(
      '13\r\ndata: 1\n\ndata: ü\n\n\r\n' + '9\r\ndata: 3\n\n\r\n9\r\ndata: 4\n\n\r\n9\r\ndata: 5\n\n\r\n0\r\n\r\n',
    );
  });

  it('is behind by what waits for the end of the turn too, and is cut off where that is too much', async () => {
    const { stream, until } = await opened();
    await until(HEAD_END);
    const closed = new Promise<void>((resolve) => {
      stream.onClose = resolve;
    });
    expect(stream.congested).toBe(false);
    const frame = `data: ${'x'.repeat(600_000)}\n\n`;
    stream.write(frame);
    expect(stream.congested).toBe(false);
    stream.write(frame);
    expect(stream.congested).toBe(true);
    for (let i = 0; i < 14; i++) stream.write(frame);
    await closed;
  });
});
