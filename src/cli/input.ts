/**
 * Reads tool arguments from the command line or from stdin, bounded.
 * @module
 */
import { isObject, type JsonObject } from '../wire/jsonrpc.ts';
import { UsageError } from './exit.ts';
import { bytes } from './format/text.ts';
import type { Input } from './io.ts';

const MAX_STDIN_BYTES = 16 * 1024 * 1024;

/** The whole of stdin. */
export async function readAll(stdin: Input): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of stdin) {
    const piece = Buffer.from(chunk as string | Uint8Array);
    size += piece.length;
    if (size > MAX_STDIN_BYTES) throw new UsageError(`The text on stdin is over ${bytes(MAX_STDIN_BYTES)}.`);
    chunks.push(piece);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** The arguments of a tool: a JSON object, `-` for the one on stdin, nothing for none. `parse` throws for what is no JSON. */
export async function readArguments(
  text: string | undefined,
  stdin: Input,
  parse: (json: string) => unknown = JSON.parse,
): Promise<JsonObject> {
  if (text === undefined) return {};
  const json = text === '-' ? await readAll(stdin) : text;
  let value: unknown;
  try {
    value = parse(json);
  } catch (error) {
    const quoting = text === '-' ? '' : ' In a shell, put it in single quotes: \'{"key": "value"}\'.';
    throw new UsageError(`The arguments are not JSON: ${(error as Error).message}.${quoting}`);
  }
  if (!isObject(value)) throw new UsageError('The arguments must be a JSON object, such as {"key": "value"}.');
  return value;
}
