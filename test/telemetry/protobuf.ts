/**
 * Reads protobuf without a schema, as far as tests of OTLP need it: fields by number, and what they hold by how it is asked for.
 * @module
 */

type Raw = { number: bigint } | { bytes: Buffer };

export class Message {
  readonly #fields = new Map<number, Raw[]>();

  constructor(bytes: Buffer) {
    let at = 0;
    const varint = (): bigint => {
      let value = 0n;
      for (let shift = 0n; ; shift += 7n) {
        const byte = bytes[at++];
        if (byte === undefined) throw new Error('The message is cut off.');
        value |= BigInt(byte & 0x7f) << shift;
        if (byte < 0x80) return value;
      }
    };
    while (at < bytes.length) {
      const key = Number(varint());
      const raw = ((): Raw => {
        switch (key & 7) {
          case 0:
            return { number: varint() };
          case 1:
            at += 8;
            return { bytes: bytes.subarray(at - 8, at) };
          case 2: {
            const length = Number(varint());
            at += length;
            if (at > bytes.length) throw new Error('The message is cut off.');
            return { bytes: bytes.subarray(at - length, at) };
          }
          case 5:
            at += 4;
            return { bytes: bytes.subarray(at - 4, at) };
          default:
            throw new Error(`Wire type ${key & 7} is none.`);
        }
      })();
      const own = this.#fields.get(key >> 3);
      if (own) own.push(raw);
      else this.#fields.set(key >> 3, [raw]);
    }
  }

  bytes(field: number): Buffer[] {
    return (this.#fields.get(field) ?? []).map((raw) => ('bytes' in raw ? raw.bytes : Buffer.alloc(0)));
  }

  messages(field: number): Message[] {
    return this.bytes(field).map((bytes) => new Message(bytes));
  }

  message(field: number): Message {
    return this.messages(field)[0] ?? new Message(Buffer.alloc(0));
  }

  has(field: number): boolean {
    return this.#fields.has(field);
  }

  text(field: number): string {
    return this.bytes(field)[0]?.toString('utf8') ?? '';
  }

  hex(field: number): string {
    return this.bytes(field)[0]?.toString('hex') ?? '';
  }

  number(field: number): number {
    const [raw] = this.#fields.get(field) ?? [];
    return raw && 'number' in raw ? Number(raw.number) : 0;
  }

  /** fixed64, one or packed. */
  fixed64(field: number): number[] {
    return this.bytes(field).flatMap((bytes) =>
      Array.from({ length: bytes.length / 8 }, (_, i) => Number(bytes.readBigUInt64LE(i * 8))),
    );
  }

  doubles(field: number): number[] {
    return this.bytes(field).flatMap((bytes) =>
      Array.from({ length: bytes.length / 8 }, (_, i) => bytes.readDoubleLE(i * 8)),
    );
  }
}
