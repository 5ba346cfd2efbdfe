/**
 * A receiver of push notifications, as an A2A client has one: a real HTTP server on loopback that keeps what it was sent.
 * @module
 */
import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { until } from '../e2e/until.ts';

export interface Received {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  // biome-ignore lint/suspicious/noExplicitAny: the payload is what the tests are about.
  readonly body: any;
}

export interface Receiver {
  readonly origin: string;
  /** In the order in which they came, at any path. */
  readonly received: readonly Received[];
  /** Those at one path, once there are so many. */
  at(path: string, count: number): Promise<Received[]>;
  /** Answers what comes to this path, instead of with 204. It is given how many came there before. */
  answers(path: string, answer: (res: ServerResponse, before: number) => void): void;
  close(): Promise<void>;
}

export async function startReceiver(): Promise<Receiver> {
  const received: Received[] = [];
  const answers = new Map<string, (res: ServerResponse, before: number) => void>();
  const server = createServer((req, res) => {
    const { url: path = '', headers } = req;
    const chunks: Buffer[] = [];
    req.on('data', (chunk: Buffer) => chunks.push(chunk));
    req.on('end', () => {
      const before = received.filter((each) => each.path === path).length;
      const text = Buffer.concat(chunks).toString();
      received.push({ path, headers, body: text === '' ? undefined : JSON.parse(text) });
      const answer = answers.get(path);
      if (answer) answer(res, before);
      else res.writeHead(204).end();
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    origin: `http://127.0.0.1:${port}`,
    received,
    at: (path, count) =>
      until(
        () => {
          const found = received.filter((each) => each.path === path);
          return found.length >= count && found;
        },
        () => `${count} notifications at ${path}; there are ${received.filter((each) => each.path === path).length}`,
      ),
    answers: (path, answer) => void answers.set(path, answer),
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** The state of the task in a notification of 1.0; undefined for an artifact. */
export const stateIn = ({ body }: Received): string | undefined => body.statusUpdate?.status.state;

/** The states of the task in notifications of 1.0. */
export const statesIn = (received: readonly Received[]): string[] => received.flatMap((each) => stateIn(each) ?? []);
