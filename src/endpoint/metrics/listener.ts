/**
 * A listener of its own for `/metrics`, `/healthz` and `/readyz`: scrapers need no credential, and what clients may reach has
 * no metrics. Only what is asked for is served: no body is read.
 * @module
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { GatewayConfig } from '../../config/types.ts';
import { within } from '../../core/deadline.ts';
import { SwitchboardError } from '../../core/errors.ts';
import type { Log } from '../../core/log.ts';
import { createServer } from '../../core/node-http.ts';
import type { Health } from '../http/context.ts';
import { createHostCheck, isLoopback, requireOneHost } from '../http/guard.ts';

export interface MetricsListenerOptions {
  config: GatewayConfig;
  at: { host: string; port: number };
  /** The metrics as text, and its media type. */
  text(): Promise<{ type: string; body: string }>;
  health(): Health;
  log: Log;
}

export interface MetricsListener {
  readonly url: string;
  close(): Promise<void>;
}

const MAX_CONNECTIONS = 64;
const CLOSE_MS = 1_000;

/** Rejects with `SWB_CONFIG` when the address cannot be bound. */
export async function listenForMetrics({
  config,
  at,
  text,
  health,
  log,
}: MetricsListenerOptions): Promise<MetricsListener> {
  const checkHost = createHostCheck({ ...config, host: at.host });
  // Of other machines any name may be the right one: a balancer's, a service's.
  const isPublic = !isLoopback(at.host.toLowerCase());
  const handle = (req: IncomingMessage, res: ServerResponse): void => {
    requireOneHost(req.rawHeaders);
    if (!isPublic) checkHost(req.headers.host, () => req.socket.localAddress);
    if (req.method !== 'GET' && req.method !== 'HEAD') {
      res.setHeader('allow', 'GET, HEAD');
      respond(res, 405, 'text/plain', 'Only GET and HEAD.\n');
      return;
    }
    switch (req.url?.split('?', 1)[0]) {
      case '/metrics':
        text().then(
          ({ type, body }) => respond(res, 200, type, body),
          (error: unknown) => fail(res, error),
        );
        return;
      case '/healthz':
        respond(res, 200, 'application/json', '{"status":"ok"}');
        return;
      case '/readyz': {
        const { ready, servers } = health();
        respond(res, ready ? 200 : 503, 'application/json', JSON.stringify({ ready, servers }));
        return;
      }
      default:
        respond(res, 404, 'text/plain', 'Here are /metrics, /healthz and /readyz.\n');
    }
  };
  const fail = (res: ServerResponse, error: unknown): void => {
    if (error instanceof SwitchboardError) {
      respond(res, error.httpStatus, 'text/plain', `${error.message}\n`);
      return;
    }
    log.error({ err: error }, 'Metrics could not be written.');
    respond(res, 500, 'text/plain', 'Metrics could not be written. The log has the details.\n');
  };
  const server = createServer({ headersTimeout: 10_000, requestTimeout: 10_000 }, (req, res) => {
    try {
      handle(req, res);
    } catch (error) {
      fail(res, error);
    }
  });
  server.maxConnections = MAX_CONNECTIONS;
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      const why = cause.code === 'EADDRINUSE' ? 'is in use by another process' : 'cannot be bound';
      reject(new SwitchboardError('SWB_CONFIG', `gateway.metrics: ${at.host}:${at.port} ${why}.`, { cause }));
    });
    server.listen(at.port, at.host, resolve);
  });
  const { address, port } = server.address() as AddressInfo;
  const url = `http://${address.includes(':') ? `[${address}]` : address}:${port}/metrics`;
  if (isPublic) log.warn({ url }, 'Whoever reaches the listener for metrics can read names of servers and tools.');
  return {
    url,
    async close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeIdleConnections();
      await within(closed, CLOSE_MS, () => server.closeAllConnections());
    },
  };
}

function respond(res: ServerResponse, status: number, type: string, body: string): void {
  res.writeHead(status, {
    'content-type': type,
    'content-length': Buffer.byteLength(body),
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
  });
  res.end(body);
}
