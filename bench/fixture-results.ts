/**
 * What the fixture upstream answers with, prepared once so that the upstream is never the bottleneck.
 * @module
 */

const largeTexts = new Map<number, Buffer>();

/**
 * A JSON string literal of about `bytes` bytes that looks like a log: quotes, escapes and non-ASCII in every line, so
 * that reading it costs what reading real text costs. Cached per size.
 */
export function largeText(bytes: number): Buffer {
  const known = largeTexts.get(bytes);
  if (known) return known;
  const lines: string[] = [];
  let size = 2;
  for (let i = 0; size < bytes; i++) {
    const line = `${String(i).padStart(6, '0')} INFO "request" done in ${(i * 7) % 97} ms — status ✓\tpath=C:\\data\n`;
    const encoded = Buffer.byteLength(JSON.stringify(line)) - 2;
    if (size + encoded > bytes) {
      lines.push('.'.repeat(bytes - size));
      break;
    }
    lines.push(line);
    size += encoded;
  }
  const literal = Buffer.from(JSON.stringify(lines.join('')));
  largeTexts.set(bytes, literal);
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
  inputSchema: { type: 'object', properties: { bytes: { type: 'integer', minimum: 16 } }, required: ['bytes'] },
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
