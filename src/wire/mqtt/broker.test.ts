/** Connections to a real broker: logging in, messages, what it refuses, and how connections end. */
import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { WebSocketServer } from 'ws';
import { recordingLog } from '../../../adapters/testing/context.ts';
import { startMuteServer } from '../../../adapters/testing/faults.ts';
import { until } from '../../../adapters/testing/outcome.ts';
import { certificate, hasMosquitto, type Mosquitto, startMosquitto } from '../../../test/fixtures/mosquitto.ts';
import { SwitchboardError } from '../../core/errors.ts';
import {
  type BrokerConnection,
  type BrokerMessage,
  type BrokerOptions,
  keepBroker,
  NO_SUBSCRIBERS,
  openBroker,
} from './index.ts';

const open: { close(): Promise<void> }[] = [];
const losses: SwitchboardError[] = [];

afterEach(async () => {
  await Promise.all(open.splice(0).map((connection) => connection.close()));
  losses.length = 0;
});

const optionsFor = (url: string, more: Partial<BrokerOptions> = {}): BrokerOptions => ({
  name: 'plant',
  url: new URL(url),
  login: {},
  maxPayloadBytes: 100_000,
  log: recordingLog(),
  signal: AbortSignal.timeout(60_000),
  onLost: (reason) => void losses.push(reason),
  ...more,
});

async function connect(url: string, more: Partial<BrokerOptions> = {}): Promise<BrokerConnection> {
  const connection = await openBroker(optionsFor(url, more));
  open.push(connection);
  return connection;
}

const failureOf = async (work: Promise<unknown>): Promise<SwitchboardError> => {
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(SwitchboardError);
  return error as SwitchboardError;
};

const listen = (connection: BrokerConnection, filter: string): BrokerMessage[] => {
  const messages: BrokerMessage[] = [];
  connection.on(filter, (message) => void messages.push(message));
  return messages;
};

describe.runIf(hasMosquitto())('a connection to a broker', () => {
  let broker: Mosquitto;
  let guarded: Mosquitto;

  beforeAll(async () => {
    [broker, guarded] = await Promise.all([
      startMosquitto({ websockets: true, tls: 'server' }),
      startMosquitto({
        users: { scout: 'pw-scout' },
        acl: 'user scout\ntopic write open/#\ntopic read open/#\n',
        tls: 'client',
      }),
    ]);
  });
  afterAll(async () => {
    await broker?.stop();
    await guarded?.stop();
  });

  it.each(['5', '3.1.1'] as const)('carries messages both ways with MQTT %s', async (version) => {
    const connection = await connect(broker.url, { version });
    expect(connection.mqtt).toBe(version);
    const messages = listen(connection, `both/${version}/+`);
    await connection.subscribe(`both/${version}/+`);
    const properties = { correlationData: Buffer.from('c-1'), userProperties: { who: 'me' }, responseTopic: 'r' };
    expect(await connection.published(`both/${version}/a`, '{"n":1}', { properties })).toBe(0);
    await until('it has arrived', () => messages.length === 1);
    expect(messages[0]).toMatchObject({ topic: `both/${version}/a`, retain: false, truncated: false });
    expect(messages[0]?.payload.toString()).toBe('{"n":1}');
    if (version === '5') expect(messages[0]?.properties).toMatchObject(properties);
    else expect(messages[0]?.properties).toBeUndefined();
  });

  it('carries messages over WebSockets and TLS', async () => {
    for (const [url, login] of [
      [broker.wsUrl, {}],
      [broker.tlsUrl, { ca: certificate('ca.pem') }],
      [broker.wssUrl, { ca: certificate('ca.pem') }],
    ] as const) {
      const connection = await connect(url, { login });
      const messages = listen(connection, 'streams/x');
      await connection.subscribe('streams/x');
      await connection.published('streams/x', 'hello');
      await until('it has arrived', () => messages.length === 1);
    }
  });

  it('does not trust a certificate of an unknown authority', async () => {
    const failure = await failureOf(connect(broker.tlsUrl));
    expect(failure.code).toBe('SWB_UPSTREAM_UNAVAILABLE');
    expect(failure.message).toMatch(/certificate/);
  });

  it('logs in with a password, and with a client certificate', async () => {
    await connect(guarded.url, { login: { username: 'scout', password: 'pw-scout' } });
    await connect(guarded.tlsUrl, {
      login: { ca: certificate('ca.pem'), cert: certificate('client.pem'), key: certificate('client.key') },
    });
    for (const version of ['5', '3.1.1'] as const) {
      const failure = await failureOf(
        connect(guarded.url, { version, login: { username: 'scout', password: 'wrong' } }),
      );
      expect(failure).toMatchObject({ code: 'SWB_UPSTREAM_AUTH', data: { reason: 'unauthorized' } });
      expect(failure.message).not.toContain('wrong');
    }
  });

  it('says that a certificate file cannot be read, without its path', async () => {
    const failure = await failureOf(connect(broker.tlsUrl, { login: { ca: '/nowhere/ca.pem' } }));
    expect(failure.code).toBe('SWB_CONFIG');
    expect(failure.message).not.toContain('nowhere');
  });

  it('learns at once of a refused message, and that nobody has subscribed', async () => {
    const connection = await connect(guarded.url, { login: { username: 'scout', password: 'pw-scout' } });
    expect(await connection.published('open/nobody', 'x')).toBe(NO_SUBSCRIBERS);
    const failure = await failureOf(connection.published('closed/x', 'x'));
    expect(failure).toMatchObject({ code: 'SWB_UPSTREAM_AUTH', data: { reason: 'unauthorized', reasonCode: 135 } });
    expect(connection.isOpen).toBe(true);
  });

  it('refuses topics that are none, and messages longer than the broker takes, without losing the connection', async () => {
    const small = await startMosquitto({ more: ['max_packet_size 10000'] });
    try {
      const connection = await connect(small.url);
      expect(await failureOf(connection.published('a/+/b', 'x'))).toMatchObject({ code: 'SWB_INVALID_PARAMS' });
      expect(await failureOf(connection.published('', 'x'))).toMatchObject({ code: 'SWB_INVALID_PARAMS' });
      const failure = await failureOf(connection.published('big', 'x'.repeat(20_000)));
      expect(failure).toMatchObject({ code: 'SWB_INVALID_PARAMS', data: { reason: 'too_large' } });
      expect(await connection.published('ok', 'x')).toBe(NO_SUBSCRIBERS);
      expect(losses).toEqual([]);
    } finally {
      await small.stop();
    }
  });

  it('truncates payloads over the limit, and reads what follows', async () => {
    for (const [version, url] of [
      ['5', broker.url],
      ['3.1.1', broker.url],
    ] as const) {
      const connection = await connect(url, { version, maxPayloadBytes: 1_000 });
      const sender = await connect(broker.url, { maxPayloadBytes: 1_000 });
      const messages = listen(connection, 'flood/x');
      await connection.subscribe('flood/x');
      const properties = { correlationData: Buffer.from('c') };
      for (const length of [5_000, 500_000, 20_000_000, 10]) {
        await sender.published('flood/x', `a${'y'.repeat(length)}z`, { properties });
      }
      await until('all have arrived', () => messages.length === 4);
      expect(messages.map(({ truncated }) => truncated)).toEqual([true, true, true, false]);
      expect(messages.every(({ payload }) => payload.length <= 1_024)).toBe(true);
      for (const { payload } of messages) expect(payload.toString()).toMatch(/^ay+z$/);
      if (version === '5') expect(messages[2]?.properties?.correlationData?.toString()).toBe('c');
    }
  });

  it('gives listeners their topics alone, and with No Local nothing of its own', async () => {
    const [one, other] = [await connect(broker.url), await connect(broker.url)];
    const [own, tree, dollar] = [listen(one, 'local/a'), listen(one, 'local/#'), listen(one, '#')];
    await one.subscribe('local/#', { noLocal: true });
    await one.published('local/a', 'mine');
    await other.published('local/a', 'theirs');
    await other.published('local/b/c', 'theirs');
    await until('both have arrived', () => tree.length === 2);
    expect(own.map(({ payload }) => payload.toString())).toEqual(['theirs']);
    expect(dollar).toHaveLength(2);
  });

  it('shares a subscription, each message to one of its members', async () => {
    const [one, other, sender] = [await connect(broker.url), await connect(broker.url), await connect(broker.url)];
    const [first, second] = [listen(one, '$share/g/shared/x'), listen(other, '$share/g/shared/x')];
    await one.subscribe('$share/g/shared/x');
    await other.subscribe('$share/g/shared/x');
    for (let n = 0; n < 10; n++) await sender.published('shared/x', String(n));
    await until('all have arrived', () => first.length + second.length === 10);
    expect(Math.min(first.length, second.length)).toBeGreaterThan(0);
  });

  it('keeps what arrives before anybody listens', async () => {
    const [connection, sender] = [await connect(broker.url), await connect(broker.url)];
    await connection.subscribe('early/x');
    await sender.published('early/x', 'first');
    await sender.published('early/x', 'second');
    const fence = listen(connection, 'early/fence');
    await connection.subscribe('early/fence');
    await sender.published('early/fence', '');
    await until('everything has arrived', () => fence.length === 1);
    expect(listen(connection, 'early/+').map(({ payload }) => payload.toString())).toEqual(['first', 'second']);
    expect(listen(connection, 'early/x')).toEqual([]);
  });

  it('sends a thousand messages at once within what the broker takes, and drops those nobody wants', async () => {
    const [connection, reader] = [await connect(broker.url), await connect(broker.url)];
    const messages = listen(reader, 'many/x');
    await reader.subscribe('many/x');
    let acknowledged = 0;
    for (let n = 0; n < 1_000; n++) {
      connection.publish(
        'many/x',
        String(n),
        {},
        {
          leaves: () => n % 10 !== 9,
          published: (failure) => {
            if (!failure) acknowledged++;
          },
        },
      );
    }
    await until('all have arrived', () => messages.length === 900 && acknowledged === 900);
  });

  it('says that it is lost, once, and fails what waits', async () => {
    const doomed = await startMosquitto();
    try {
      const connection = await connect(doomed.url);
      doomed.pause();
      const outcomes: (SwitchboardError | undefined)[] = [];
      for (let n = 0; n < 100; n++) {
        connection.publish('x', 'y', {}, { published: (failure) => void outcomes.push(failure) });
      }
      const subscription = failureOf(connection.subscribe('z'));
      await doomed.kill();
      await until('all have failed', () => outcomes.length === 100);
      expect(new Set(outcomes.map((failure) => failure?.code))).toEqual(new Set(['SWB_UPSTREAM_UNAVAILABLE']));
      expect((await subscription).code).toBe('SWB_UPSTREAM_UNAVAILABLE');
      expect(losses).toHaveLength(1);
      expect(connection.isOpen).toBe(false);
      expect((await failureOf(connection.published('x', 'y'))).code).toBe('SWB_UPSTREAM_UNAVAILABLE');
    } finally {
      await doomed.stop();
    }
  });

  it('is lost when another connection has its client id', async () => {
    const first = await connect(broker.url, { clientId: 'same' });
    await connect(broker.url, { clientId: 'same' });
    await until('the first is lost', () => losses.length === 1);
    expect(first.isOpen).toBe(false);
  });

  it('leaves its will with the broker when it fails, and not when it is closed', async () => {
    const reader = await connect(broker.url);
    const wills = listen(reader, 'wills/+');
    await reader.subscribe('wills/+');
    const closed = await connect(broker.url, { will: { topic: 'wills/closed', payload: '' } });
    const failed = await connect(broker.url, { will: { topic: 'wills/failed', payload: 'gone' } });
    await closed.close();
    failed.fail(new SwitchboardError('SWB_UPSTREAM_UNAVAILABLE', 'test'));
    await until('the will arrives', () => wills.length > 0);
    expect(wills.map(({ topic }) => topic)).toEqual(['wills/failed']);
  });

  it('notices by its keepalive that a broker has gone mute', async () => {
    const mute = await startMosquitto();
    try {
      await connect(mute.url, { keepaliveSeconds: 1 });
      mute.pause();
      await until('it is lost', () => losses.length === 1);
    } finally {
      await mute.stop();
    }
  });

  it('asks the network guard, and resolves names as it says', async () => {
    const asked: string[] = [];
    const guard = {
      check: async (url: URL) => void asked.push(url.host),
      lookup: ((_name: string, options: { all?: boolean }, done: (...answer: unknown[]) => void) =>
        options.all ? done(null, [{ address: '127.0.0.1', family: 4 }]) : done(null, '127.0.0.1', 4)) as never,
    };
    await connect(`mqtt://broker.invalid:${broker.port}`, { guard });
    await connect(broker.wsUrl.replace('127.0.0.1', 'broker.invalid'), { guard });
    expect(asked).toEqual([
      `broker.invalid:${broker.port}`,
      new URL(broker.wsUrl).host.replace('127.0.0.1', 'broker.invalid'),
    ]);
    const refused = new SwitchboardError('SWB_URL_REFUSED', 'no');
    const refusing = { ...guard, check: () => Promise.reject(refused) };
    expect(await failureOf(connect(broker.url, { guard: refusing }))).toBe(refused);
  });

  it('is opened again when it is kept', async () => {
    const restarted = await startMosquitto();
    const ups: BrokerConnection[] = [];
    const downs: unknown[] = [];
    const kept = keepBroker({
      ...optionsFor(restarted.url),
      onUp: (connection) => void ups.push(connection),
      onDown: (reason) => void downs.push(reason),
    });
    try {
      await until('it is up', () => ups.length === 1);
      await restarted.kill();
      await until('it is down', () => downs.length > 0);
      await restarted.start();
      await until('it is up again', () => ups.length === 2);
      expect(kept.connection).toBe(ups[1]);
    } finally {
      await kept.close();
      await restarted.stop();
    }
    expect(kept.connection).toBeUndefined();
  });
});

describe('a broker that is none', () => {
  const answering = async (answer: (socket: Socket) => void): Promise<{ url: string; server: Server }> => {
    const server = createServer((socket) => {
      socket.on('error', () => {});
      answer(socket);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return { url: `mqtt://127.0.0.1:${(server.address() as { port: number }).port}`, server };
  };

  it('that accepts and stays mute ends with the deadline', async () => {
    const mute = await startMuteServer();
    const url = mute.origin.replace('http', 'mqtt');
    const reason = new SwitchboardError('SWB_UPSTREAM_UNAVAILABLE', 'too late');
    const deadline = new AbortController();
    setTimeout(() => deadline.abort(reason), 100);
    expect(await failureOf(connect(url, { signal: deadline.signal }))).toBe(reason);
    await mute.close();
  });

  it.each([
    ['closes', (socket: Socket) => socket.end()],
    ['resets', (socket: Socket) => socket.resetAndDestroy()],
    ['speaks HTTP', (socket: Socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')],
    ['sends garbage', (socket: Socket) => socket.end(Buffer.alloc(1_000, 0xff))],
  ])('that %s is unavailable', async (_, answer) => {
    const { url, server } = await answering(answer);
    expect((await failureOf(connect(url))).code).toBe('SWB_UPSTREAM_UNAVAILABLE');
    server.close();
  });

  it('that knows MQTT 3.1.1 alone is spoken to in it', async () => {
    const { url, server } = await answering((socket) => {
      socket.once('data', (connect) => {
        // The protocol's version stands behind its name.
        const version = connect[connect.indexOf('MQTT') + 4];
        socket.write(Buffer.from([0x20, 2, 0, version === 4 ? 0 : 1]));
      });
    });
    const connection = await connect(url);
    expect(connection.mqtt).toBe('3.1.1');
    connection.fail(new SwitchboardError('SWB_UPSTREAM_UNAVAILABLE', 'over'));
    server.close();
  });

  /** Accepts MQTT 5, and answers the next packet with these bytes; `ii` stands for its packet id. */
  const accepting = (idAt: (packet: Buffer) => number, bytes: (id: Buffer) => Buffer) =>
    answering((socket) => {
      socket.once('data', () => {
        socket.write(Buffer.from([0x20, 3, 0, 0, 0]));
        socket.once('data', (packet) => {
          const at = idAt(packet);
          socket.write(bytes(packet.subarray(at, at + 2)));
        });
      });
    });

  it('that refuses a subscription rejects it, and the connection stays', async () => {
    const { url, server } = await accepting(
      () => 2,
      (id) => Buffer.from([0x90, 4, ...id, 0, 0x87]),
    );
    const connection = await connect(url);
    expect(await failureOf(connection.subscribe('closed/#'))).toMatchObject({
      code: 'SWB_UPSTREAM_AUTH',
      message: expect.stringMatching(/refused to subscribe/),
      data: { reason: 'unauthorized', reasonCode: 0x87 },
    });
    expect(connection.isOpen).toBe(true);
    connection.fail(new SwitchboardError('SWB_UPSTREAM_UNAVAILABLE', 'over'));
    server.close();
  });

  it.each([
    [0x97, 'SWB_UPSTREAM_UNAVAILABLE', 'quota'],
    [0x99, 'SWB_INVALID_PARAMS', 'payload'],
    [0x87, 'SWB_UPSTREAM_AUTH', 'unauthorized'],
    [0x80, 'SWB_UPSTREAM_UNAVAILABLE', 'unavailable'],
  ])('that refuses a message with %i says so', async (reasonCode, code, reason) => {
    const { url, server } = await accepting(
      (packet) => 4 + packet.readUInt16BE(2),
      (id) => Buffer.from([0x40, 4, ...id, reasonCode, 0]),
    );
    const connection = await connect(url);
    expect(await failureOf(connection.published('t', 'x'))).toMatchObject({ code, data: { reason, reasonCode } });
    expect(connection.isOpen).toBe(true);
    connection.fail(new SwitchboardError('SWB_UPSTREAM_UNAVAILABLE', 'over'));
    server.close();
  });

  it('at a WebSocket is shown the headers, and asked for MQTT', async () => {
    const sockets = new WebSocketServer({ port: 0, host: '127.0.0.1' });
    await once(sockets, 'listening');
    const seen = once(sockets, 'connection');
    const { port } = sockets.address() as { port: number };
    const headers = { authorization: 'Bearer token' };
    const failed = failureOf(connect(`ws://127.0.0.1:${port}/mqtt?x=1`, { headers }));
    const [socket, request] = await seen;
    expect(request.headers).toMatchObject({ authorization: 'Bearer token', 'sec-websocket-protocol': 'mqtt' });
    expect(request.url).toBe('/mqtt?x=1');
    socket.terminate();
    expect((await failed).code).toBe('SWB_UPSTREAM_UNAVAILABLE');
    sockets.close();
  });

  /** Accepts MQTT 5; `socket` is the broker's end of the connection. */
  async function accepted(): Promise<{ connection: BrokerConnection; socket: Socket; server: Server }> {
    const { promise, resolve } = Promise.withResolvers<Socket>();
    const { url, server } = await answering((socket) => {
      socket.once('data', () => {
        socket.write(Buffer.from([0x20, 3, 0, 0, 0]));
        resolve(socket);
      });
    });
    return { connection: await connect(url), socket: await promise, server };
  }

  it('that says why it ends the connection is quoted', async () => {
    const { connection, socket, server } = await accepted();
    socket.end(Buffer.from([0xe0, 2, 0x8e, 0]));
    await until('it is lost', () => losses.length === 1);
    expect(losses[0]).toMatchObject({
      code: 'SWB_UPSTREAM_UNAVAILABLE',
      message: expect.stringMatching(
        /not available: it gave the session to another connection with the same client id/,
      ),
      data: { reasonCode: 0x8e },
    });
    expect(connection.isOpen).toBe(false);
    server.close();
  });

  it('that breaks the protocol later is lost', async () => {
    const { socket, server } = await accepted();
    socket.write(Buffer.from([0x30, 0xff, 0xff, 0xff, 0xff, 0x7f]));
    await until('it is lost', () => losses.length === 1);
    server.close();
  });
});
