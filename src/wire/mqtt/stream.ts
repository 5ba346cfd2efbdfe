/**
 * Opens the byte stream to a broker: TCP, TLS, or a WebSocket over either. Packets leave at once, because Nagle's algorithm
 * together with delayed acknowledgements costs a call 40 ms (measured).
 * @module
 */
import { readFile } from 'node:fs/promises';
import { connect as connectTcp, isIP } from 'node:net';
import type { Duplex } from 'node:stream';
import { connect as connectTls } from 'node:tls';
import { createWebSocketStream, WebSocket } from 'ws';
import { type BrokerLogin, portOf } from '../../core/broker.ts';
import { SwitchboardError } from '../../core/errors.ts';
import type { BrokerOptions } from './types.ts';

/** Certificates and keys of a login, as texts. */
export type Certificates = Partial<Record<'ca' | 'cert' | 'key' | 'passphrase', string>>;

export const hostOf = ({ hostname }: URL): string => hostname.replace(/^\[(.*)\]$/, '$1');

/** Reads what a login names by path. Rejects with `SWB_CONFIG`; only the log gets the path. */
export async function readCertificates(name: string, login: BrokerLogin): Promise<Certificates> {
  const texts: Certificates = {};
  for (const key of ['ca', 'cert', 'key'] as const) {
    const value = login[key];
    if (value === undefined) continue;
    if (value.includes('-----BEGIN')) texts[key] = value;
    else {
      texts[key] = await readFile(value, 'utf8').catch((cause: unknown) => {
        throw new SwitchboardError('SWB_CONFIG', `Server '${name}': the file of '${key}' cannot be read.`, { cause });
      });
    }
  }
  if (login.passphrase !== undefined) texts.passphrase = login.passphrase;
  return texts;
}

export function openStream({ url, guard, headers }: BrokerOptions, tls: Certificates, maxBytes: number): Duplex {
  const { protocol } = url;
  const host = hostOf(url);
  const lookup = guard ? { lookup: guard.lookup } : {};
  if (protocol === 'ws:' || protocol === 'wss:') {
    const address = `${protocol}//${url.host}${url.pathname}${url.search}`;
    // `ws` itself switches Nagle's algorithm off.
    const socket = new WebSocket(address, 'mqtt', {
      ...lookup,
      ...tls,
      headers: { ...headers },
      followRedirects: false,
      perMessageDeflate: false,
      maxPayload: 2 * maxBytes,
    });
    const stream = createWebSocketStream(socket);
    // A socket that is given up before it is open reports that too, when there is no listener any more.
    socket.on('error', () => {});
    socket.on('close', () => stream.destroy());
    return stream;
  }
  const target = { host, port: portOf(url), ...lookup };
  if (protocol === 'mqtts:') {
    const socket = connectTls({ ...target, ...tls, ...(isIP(host) === 0 ? { servername: host } : {}) });
    socket.setNoDelay(true);
    return socket;
  }
  return connectTcp({ ...target, noDelay: true });
}
