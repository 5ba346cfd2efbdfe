/** Packets of a broker, in whatever pieces they come: what is short passes as it is, what is too long is shortened. */
import fc from 'fast-check';
import { generate, type IPublishPacket, parser } from 'mqtt-packet';
import { describe, expect, it } from 'vitest';
import { BoundedFrames } from './frames.ts';

const MAX = 2_000;

interface Read {
  packets: IPublishPacket[];
  truncated: boolean[];
  error: Error | undefined;
}

/** Sends bytes in chunks of these lengths, again and again, and reads what comes out as the client does. */
function read(bytes: Buffer, lengths: readonly number[], protocolVersion: 4 | 5): Promise<Read> {
  const frames = new BoundedFrames(MAX, protocolVersion === 5);
  const parse = parser({ protocolVersion });
  const found: Read = { packets: [], truncated: [], error: undefined };
  parse.on('packet', (packet) => {
    if (packet.cmd !== 'publish') return;
    found.packets.push(packet);
    found.truncated.push(frames.takeTruncated());
  });
  parse.on('error', (error) => {
    found.error = error;
  });
  frames.on('data', (chunk: Buffer) => parse.parse(chunk));
  return new Promise((resolve) => {
    frames.on('error', (error) => resolve({ ...found, error }));
    frames.on('end', () => resolve(found));
    let at = 0;
    for (let n = 0; at < bytes.length; n++) {
      const length = lengths[n % lengths.length] ?? 1;
      frames.write(bytes.subarray(at, at + length));
      at += length;
    }
    frames.end();
  });
}

const packet = fc.record({
  topic: fc.constantFrom('a', 'a/b/c', 't'.repeat(300)),
  qos: fc.constantFrom(0 as const, 1 as const),
  length: fc.constantFrom(0, 1, 100, 1_500, 1_990, 2_010, 5_000, 40_000),
  properties: fc.option(fc.record({ correlationData: fc.uint8Array({ maxLength: 40 }) }), { nil: undefined }),
  ping: fc.boolean(),
});

describe('packets of a broker', () => {
  it.each([4, 5] as const)(
    'of MQTT version %i arrive whole or shortened, each in its place',
    async (protocolVersion) => {
      await fc.assert(
        fc.asyncProperty(
          fc.array(packet, { maxLength: 8 }),
          fc.array(fc.integer({ min: 1, max: 3_000 }), { minLength: 1, maxLength: 5 }),
          async (packets, lengths) => {
            const sent = packets.map(({ topic, qos, length, properties }, n) => ({
              cmd: 'publish' as const,
              topic,
              qos,
              dup: false,
              retain: false,
              messageId: qos === 0 ? undefined : n + 1,
              payload: Buffer.alloc(length, 0x61 + n),
              ...(protocolVersion === 5 && properties
                ? { properties: { correlationData: Buffer.from(properties.correlationData) } }
                : {}),
            }));
            const encoded = sent.map((each, n) => {
              const bytes = generate(each as never, { protocolVersion });
              return { bytes, ping: packets[n]?.ping === true };
            });
            const wire = encoded.flatMap(({ bytes, ping }) => (ping ? [bytes, Buffer.from([0xd0, 0])] : [bytes]));
            const { packets: seen, truncated, error } = await read(Buffer.concat(wire), lengths, protocolVersion);
            expect(error).toBeUndefined();
            expect(seen.map(({ topic }) => topic)).toEqual(sent.map(({ topic }) => topic));
            for (const [n, each] of seen.entries()) {
              const whole = sent[n]?.payload as Buffer;
              const isLong = (encoded[n]?.bytes.length ?? 0) - 5 > MAX || each.payload.length < whole.length;
              expect(truncated[n]).toBe(isLong);
              expect((each.payload as Buffer).equals(isLong ? whole.subarray(0, 1_024) : whole)).toBe(true);
              expect(each.messageId).toBe(sent[n]?.messageId);
            }
          },
        ),
        { numRuns: 200 },
      );
    },
  );

  it.each([
    ['that are too long and no messages', Buffer.concat([Buffer.from([0x90, 0xff, 0xff, 0x7f]), Buffer.alloc(100)])],
    ['without a valid length', Buffer.from([0x30, 0xff, 0xff, 0xff, 0xff, 0x01])],
    [
      'whose head alone is too long',
      Buffer.concat([Buffer.from([0x30, 0xff, 0xff, 0x07, 0xff, 0xff]), Buffer.alloc(140_000, 0x61)]),
    ],
  ])('%s end the connection', async (_, bytes) => {
    for (const lengths of [[1], [7, 3], [bytes.length]]) {
      expect((await read(bytes, lengths, 5)).error).toBeInstanceOf(Error);
    }
  });
});
