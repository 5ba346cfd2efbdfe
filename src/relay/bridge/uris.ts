/**
 * Resource URIs inside results, as the caller's view spells them. In the merged view a link that a tool returns must
 * lead back to the server it came from, even when its URI is in no list. Per-server views keep every byte.
 * @module
 */
import { elements, keyText, type Span, visitMembers } from '../../wire/json/scan.ts';
import { replaceSpans, type SpanEdit, wholeSpan } from '../../wire/json/splice.ts';

export type ExposeUri = (uri: string) => string;

function exposeMember(buf: Buffer, span: Span, expose: ExposeUri): SpanEdit | undefined {
  if (buf[span.start] !== 0x22) return undefined;
  const uri = JSON.parse(buf.toString('utf8', span.start, span.end)) as string;
  const exposed = expose(uri);
  return exposed === uri ? undefined : { ...span, json: JSON.stringify(exposed) };
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
  const contents = membersOf(raw, wholeSpan(raw).start).get('contents');
  if (!contents || raw[contents.start] !== 0x5b) return raw;
  const edits: SpanEdit[] = [];
  for (const item of elements(raw, contents.start)) {
    const uri = membersOf(raw, item.start).get('uri');
    const edit = uri && exposeMember(raw, uri, expose);
    if (edit) edits.push(edit);
  }
  return replaceSpans(raw, edits);
}

/** Content blocks of a `tools/call` result (`content[]`) or a `prompts/get` result (`messages[].content`). */
export function exposeLinks(raw: Buffer, expose: ExposeUri): Buffer {
  const result = membersOf(raw, wholeSpan(raw).start);
  const edits: SpanEdit[] = [];
  const content = result.get('content');
  if (content) collectBlocks(raw, content, expose, edits);
  const messages = result.get('messages');
  if (messages && raw[messages.start] === 0x5b) {
    for (const message of elements(raw, messages.start)) {
      const own = membersOf(raw, message.start).get('content');
      if (own) collectBlocks(raw, own, expose, edits);
    }
  }
  return replaceSpans(raw, edits);
}

function collectBlocks(buf: Buffer, content: Span, expose: ExposeUri, edits: SpanEdit[]): void {
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
