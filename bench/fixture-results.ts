/**
 * What the fixture upstream answers with, prepared once so that the upstream is never the bottleneck.
 * @module
 */

export type LargeText = 'large' | 'logs';

const LINES: Readonly<Record<LargeText, (index: number) => string>> = {
  // A page of text: a line break now and then, a quotation in every fourth line, little beyond ASCII.
  large: (index) =>
    `Paragraph ${index}: the committee met again and found that what had been agreed upon in spring still held in autumn${
      index % 4 === 0 ? ', or, as the minutes say, "no change — see above"' : ''
    }.\n`,
  // Quotes, escapes and non-ASCII in every line, as logs and JSON inside of text have them.
  logs: (index) =>
    `${String(index).padStart(6, '0')} INFO "request" done in ${(index * 7) % 97} ms — status ✓\tpath=C:\\data\n`,
};

const largeTexts = new Map<string, Buffer>();

/** A JSON string literal of exactly `bytes` bytes, so that reading it costs what reading such text costs. Cached. */
export function largeText(bytes: number, kind: LargeText): Buffer {
  const known = largeTexts.get(`${kind}/${bytes}`);
  if (known) return known;
  const lines: string[] = [];
  let size = 2;
  for (let i = 0; size < bytes; i++) {
    const line = LINES[kind](i);
    const encoded = Buffer.byteLength(JSON.stringify(line)) - 2;
    if (size + encoded > bytes) {
      lines.push('.'.repeat(bytes - size));
      break;
    }
    lines.push(line);
    size += encoded;
  }
  const literal = Buffer.from(JSON.stringify(lines.join('')));
  largeTexts.set(`${kind}/${bytes}`, literal);
  return literal;
}

const ECHO = {
  name: 'echo',
  description: 'Answers with the text it is given.',
  inputSchema: { type: 'object', properties: { text: { type: 'string' } }, required: ['text'] },
};

const BIG = {
  name: 'big',
  description: 'Answers with a text of the size it is asked for.',
  inputSchema: {
    type: 'object',
    properties: {
      bytes: { type: 'integer', minimum: 16 },
      of: { type: 'string', enum: ['large', 'logs'] },
      note: { type: 'string', description: 'Not used.' },
    },
    required: ['bytes'],
  },
};

/** A tool of about 500 bytes, as published servers describe theirs. */
function fillerTool(index: number): Record<string, unknown> {
  const number = String(index).padStart(4, '0');
  return {
    name: `tool_${number}`,
    title: `Tool ${number}`,
    description: `Looks up records of collection ${number} and returns those that match, newest first.`,
    inputSchema: {
      type: 'object',
      properties: {
        query: { type: 'string', description: 'Words that a record has to contain.' },
        limit: { type: 'integer', minimum: 1, maximum: 100, description: 'Most records to return.' },
        order: { type: 'string', enum: ['newest', 'oldest', 'relevance'] },
      },
      required: ['query'],
      additionalProperties: false,
    },
    annotations: { readOnlyHint: true, openWorldHint: false },
  };
}

/** Exactly `count` tools: `echo` and `big` first, then fillers. */
export function fixtureTools(count: number): Record<string, unknown>[] {
  const tools: Record<string, unknown>[] = [ECHO, BIG].slice(0, count);
  for (let i = tools.length; i < count; i++) tools.push(fillerTool(i));
  return tools;
}
