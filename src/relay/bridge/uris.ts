/**
 * Resource URIs inside results, as the caller's view spells them. In the merged view a link that a tool returns must
 * lead back to the server it came from, even when its URI is in no list. Per-server views keep every byte.
 * @module
 */
import { elements, keyText, type Span, visitMembers } from '../../wire/json/scan.ts';

export type ExposeUri = (uri: string) => string;

interface Edit extends Span {
  text: Buffer;
}

function withEdits(buf: Buffer, edits: Edit[]): Buffer {
  if (edits.length === 0) return buf;
  const parts: Buffer[] = [];
  let at = 0;
  for (const edit of edits) {
    parts.push(buf.subarray(at, edit.start), edit.text);
    at = edit.end;
  }
  parts.push(buf.subarray(at));
  return Buffer.concat(parts);
}

function exposeMember(buf: Buffer, span: Span, expose: ExposeUri): Edit | undefined {
  if (buf[span.start] !== 0x22) return undefined;
  const uri = JSON.parse(buf.toString('utf8', span.start, span.end)) as string;
  const exposed = expose(uri);
  return exposed === uri ? undefined : { ...span, text: Buffer.from(JSON.stringify(exposed)) };
}

/** One object's members by name, values as spans into `buf`. */
function membersOf(buf: Buffer, start: number): Map<string, Span> {
  const found = new Map<string, Span>();
  if (buf[start] !== 0x7b) return found;
  visitMembers(buf, start, (keyStart, keyEnd, valueStart, end) => {
    found.set(keyText(buf, keyStart, keyEnd), { start: valueStart, end });
  });
  return found;
}

/** `contents[].uri` of a `resources/read` result. */
export function exposeContents(raw: Buffer, expose: ExposeUri): Buffer {
  const contents = membersOf(raw, firstByte(raw)).get('contents');
  if (!contents || raw[contents.start] !== 0x5b) return raw;
  const edits: Edit[] = [];
  for (const item of elements(raw, contents.start)) {
    const uri = membersOf(raw, item.start).get('uri');
    const edit = uri && exposeMember(raw, uri, expose);
    if (edit) edits.push(edit);
  }
  return withEdits(raw, edits);
}

/** Content blocks of a `tools/call` result (`content[]`) or a `prompts/get` result (`messages[].content`). */
export function exposeLinks(raw: Buffer, expose: ExposeUri): Buffer {
  const result = membersOf(raw, firstByte(raw));
  const edits: Edit[] = [];
  const content = result.get('content');
  if (content) collectBlocks(raw, content, expose, edits);
  const messages = result.get('messages');
  if (messages && raw[messages.start] === 0x5b) {
    for (const message of elements(raw, messages.start)) {
      const own = membersOf(raw, message.start).get('content');
      if (own) collectBlocks(raw, own, expose, edits);
    }
  }
  edits.sort((a, b) => a.start - b.start);
  return withEdits(raw, edits);
}

function collectBlocks(buf: Buffer, content: Span, expose: ExposeUri, edits: Edit[]): void {
  const blocks = buf[content.start] === 0x5b ? elements(buf, content.start) : [content];
  for (const block of blocks) {
    const members = membersOf(buf, block.start);
    const type = members.get('type');
    if (!type) continue;
    const name = buf.toString('utf8', type.start, type.end);
    let uri: Span | undefined;
    if (name === '"resource_link"') uri = members.get('uri');
    else if (name === '"resource"') {
      const resource = members.get('resource');
      uri = resource && membersOf(buf, resource.start).get('uri');
    }
    const edit = uri && exposeMember(buf, uri, expose);
    if (edit) edits.push(edit);
  }
}

function firstByte(raw: Buffer): number {
  let i = 0;
  while (raw[i] === 0x20 || raw[i] === 0x0a || raw[i] === 0x0d || raw[i] === 0x09) i++;
  return i;
}
