/**
 * Whether a URI is an expansion of a template (RFC 6570, levels 1 to 3; level 4 modifiers are read like level 3).
 *
 * Templates come from upstreams and URIs from clients, so no regular expression is made of them: positions are tracked
 * as a set, and time is bounded by template parts times URI length.
 *
 * More lenient than the RFC in what a variable may hold, as servers are: anything but the delimiters that end it.
 * @module
 */

const MAX_URI = 2_048;
const MAX_EXPRESSIONS = 16;

const SLASH = 0x2f;
const QUESTION = 0x3f;
const HASH = 0x23;

type Allows = (code: number) => boolean;

const inSegment: Allows = (c) => c !== SLASH && c !== QUESTION && c !== HASH;
const inPath: Allows = (c) => c !== QUESTION && c !== HASH;
const beforeFragment: Allows = (c) => c !== HASH;
const anything: Allows = () => true;

interface Expression {
  /** First character of the expansion; none for simple and reserved expressions. */
  lead: string;
  allows: Allows;
  /** Undefined variables expand to nothing. Without a lead at least one character is wanted. */
  optional: boolean;
}

const OPERATORS: Readonly<Record<string, Expression>> = {
  '': { lead: '', allows: inSegment, optional: false },
  '+': { lead: '', allows: anything, optional: false },
  '#': { lead: '#', allows: anything, optional: true },
  '.': { lead: '.', allows: inSegment, optional: true },
  '/': { lead: '/', allows: inPath, optional: true },
  ';': { lead: ';', allows: inSegment, optional: true },
  '?': { lead: '?', allows: beforeFragment, optional: true },
  '&': { lead: '&', allows: beforeFragment, optional: true },
};

type Part = { literals: readonly string[] } | Expression;

/** A matcher, or undefined for a template that is malformed or has more expressions than anyone needs. */
export function compileTemplate(template: string): ((uri: string) => boolean) | undefined {
  const parts: Part[] = [];
  let expressions = 0;
  let at = 0;
  while (at < template.length) {
    const open = template.indexOf('{', at);
    if (open !== at) {
      const literal = template.slice(at, open === -1 ? undefined : open);
      if (literal.includes('}')) return undefined;
      parts.push({ literals: spellings(literal) });
    }
    if (open === -1) break;
    const close = template.indexOf('}', open);
    const expression = close === -1 ? undefined : expressionOf(template.slice(open + 1, close));
    if (!expression || ++expressions > MAX_EXPRESSIONS) return undefined;
    parts.push(expression);
    at = close + 1;
  }
  return (uri) => uri.length <= MAX_URI && matches(parts, uri);
}

/** Expansion percent-encodes what a URI may not hold (RFC 6570, 3.1), but not every client does. */
function spellings(literal: string): string[] {
  try {
    const encoded = encodeURI(literal).replaceAll('%25', '%');
    return encoded === literal ? [literal] : [literal, encoded];
  } catch {
    return [literal];
  }
}

function expressionOf(body: string): Expression | undefined {
  const operator = Object.hasOwn(OPERATORS, body.charAt(0)) ? body.charAt(0) : '';
  const variables = body.slice(operator.length);
  return variables === '' || variables.includes('{') ? undefined : OPERATORS[operator];
}

function matches(parts: readonly Part[], uri: string): boolean {
  let here = new Uint8Array(uri.length + 1);
  here[0] = 1;
  for (const part of parts) {
    const next = new Uint8Array(uri.length + 1);
    const alive = 'literals' in part ? overLiteral(part.literals, uri, here, next) : overValue(part, uri, here, next);
    if (!alive) return false;
    here = next;
  }
  return here[uri.length] === 1;
}

/** Marks in `next` where a match can stand after this part; false when nowhere. */
function overLiteral(literals: readonly string[], uri: string, here: Uint8Array, next: Uint8Array): boolean {
  let alive = false;
  for (let at = here.indexOf(1); at !== -1; at = here.indexOf(1, at + 1)) {
    for (const literal of literals) {
      if (!uri.startsWith(literal, at)) continue;
      next[at + literal.length] = 1;
      alive = true;
    }
  }
  return alive;
}

function overValue({ lead, allows, optional }: Expression, uri: string, here: Uint8Array, next: Uint8Array): boolean {
  let alive = false;
  let inside = false;
  for (let at = 0; at <= uri.length; at++) {
    const mark = inside || (optional && here[at] === 1);
    if (mark) {
      next[at] = 1;
      alive = true;
    }
    if (at === uri.length) break;
    if (inside && !allows(uri.charCodeAt(at))) inside = false;
    // A value that starts here is seen from the next position on: its lead, or its first character, comes first.
    if (here[at] === 1) inside ||= lead === '' ? allows(uri.charCodeAt(at)) : uri.startsWith(lead, at);
  }
  return alive;
}
