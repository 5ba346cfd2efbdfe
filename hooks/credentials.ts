/**
 * Replaces well-known credentials in text.
 *
 * Texts come from servers and may be megabytes long, so every pattern takes time linear in the text: no quantifier stands
 * inside another; a quantifier without an upper bound ends its pattern; and a pattern that begins with a long run of
 * characters matches only at the run's beginning. A pattern is tried only where one of its `hints` is in the text, because a
 * search for a fixed string costs a fraction.
 * @module
 */
/** A credential is replaced by its name: `<GITHUB_TOKEN>`. */
interface CredentialShape {
  name: string;
  /** Every match holds one of these. Undefined: the pattern is always tried. */
  hints: readonly string[] | undefined;
  /** Global. The groups `before` and `after` stay unchanged. */
  pattern: RegExp;
}

/**
 * The beginning of a word, also in JSON inside JSON, where a line break before it is spelt with two letters (`\n`).
 */
const START = String.raw`(?:(?<![A-Za-z0-9_-])|(?<=\\[bfnrt]))`;
/** A quote, plain or as it is spelt in JSON inside JSON. */
const QUOTE = String.raw`(?:\\{0,3}["'])?`;

/**
 * At least `count` of a class, and all that follow. Not `{n,}`: the engine stores every step of it for backtracking, and its
 * stack overflows on megabytes.
 */
const atLeast = (count: number, members: string): string => `[${members}]{${count}}[${members}]*`;

const WORD = 'A-Za-z0-9';
const WORD_DASH = 'A-Za-z0-9_-';

const shape = (name: string, hints: readonly string[] | undefined, source: string, flags = ''): CredentialShape => ({
  name,
  hints,
  pattern: new RegExp(source, `g${flags}`),
});

/** In the order they are tried: of two that could match the same text the more specific one is first. */
const CREDENTIAL_SHAPES: readonly CredentialShape[] = [
  shape('ANTHROPIC_API_KEY', ['sk-ant-'], `sk-ant-${atLeast(16, WORD_DASH)}`),
  shape(
    'OPENAI_API_KEY',
    ['sk-'],
    `${START}sk-(?:(?:proj|svcacct|admin|None|or-v1)-${atLeast(16, WORD_DASH)}|${atLeast(20, WORD)})`,
  ),
  shape('GITHUB_TOKEN', ['ghp_', 'gho_', 'ghu_', 'ghs_', 'ghr_'], `gh[pousr]_${atLeast(36, WORD)}`),
  shape('GITHUB_TOKEN', ['github_pat_'], `github_pat_${atLeast(22, 'A-Za-z0-9_')}`),
  shape('GITLAB_TOKEN', ['glpat-', 'gldt-', 'glrt-', 'glptt-'], `gl(?:pat|dt|rt|ptt)-${atLeast(20, WORD_DASH)}`),
  shape('NPM_TOKEN', ['npm_'], `${START}npm_${atLeast(36, WORD)}`),
  shape('SLACK_TOKEN', ['xox', 'xapp-'], `${START}(?:xox[abeoprs]|xapp)-${atLeast(10, 'A-Za-z0-9-')}`),
  shape('STRIPE_KEY', ['k_live_', 'k_test_'], `[rs]k_(?:live|test)_${atLeast(16, WORD)}`),
  shape('GOOGLE_API_KEY', ['AIza'], 'AIza[A-Za-z0-9_-]{35}'),
  shape('AWS_ACCESS_KEY_ID', ['AKIA', 'ASIA'], `${START}A[KS]IA[A-Z0-9]{16}(?![A-Za-z0-9])`),
  shape(
    'AWS_SECRET_ACCESS_KEY',
    undefined,
    `(?<before>secret_?access_?key${QUOTE}\\s{0,5}[:=]\\s{0,5}${QUOTE})[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+])`,
    'i',
  ),
  shape('JWT', ['eyJ'], `${START}eyJ[${WORD_DASH}]{8,4096}\\.[${WORD_DASH}]{8,65536}\\.[${WORD_DASH}]*`),
  shape(
    'AUTHORIZATION',
    undefined,
    `(?<before>authorization${QUOTE}\\s{0,5}[:=]\\s{0,5}${QUOTE}(?:bearer|basic|token)\\s{1,5})${atLeast(4, '^\\s"\'\\\\,;<')}`,
    'i',
  ),
  shape('BEARER_TOKEN', undefined, `(?<before>${START}bearer\\s{1,5})${atLeast(16, 'A-Za-z0-9._~+/=-')}`, 'i'),
  // The user's name stays.
  shape('PASSWORD', ['://'], String.raw`(?<before>:\/\/[^\s/?#@:"'<>\\]{0,256}:)[^\s/?#"'<>\\]{1,1024}(?<after>@)`),
];

/** The credentials found in one message, and the markers in their place. */
export class Markers {
  readonly names = new Set<string>();
  /** A result may grow by 1 KiB: too little for a name in the place of every short password of a long list. */
  #growth = 900;

  /** The credential's name, or asterisks when the result has no room for it. */
  marker(name: string, secret: string): string {
    this.names.add(name);
    const marker = `<${name}>`;
    const growth = marker.length - secret.length;
    if (growth <= 0) return marker;
    if (growth > this.#growth) return '*'.repeat(Math.min(3, secret.length));
    this.#growth -= growth;
    return marker;
  }
}

export type RedactText = (text: string, markers: Markers) => string;

export function redactCredentials(text: string, markers: Markers): string {
  let redacted = redactPrivateKeys(text, markers);
  for (const { name, hints, pattern } of CREDENTIAL_SHAPES) {
    if (hints !== undefined && !hints.some((hint) => redacted.includes(hint))) continue;
    redacted = redacted.replace(pattern, (match, ...rest) => {
      const groups: unknown = rest.at(-1);
      const { before = '', after = '' } = (typeof groups === 'object' ? groups : {}) as Record<string, string>;
      const secret = match.slice(before.length, match.length - after.length);
      return `${before}${markers.marker(name, secret)}${after}`;
    });
  }
  return redacted;
}

const BEGIN = /-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----/g;
const END = /-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----/y;

/**
 * Replaces private keys in PEM form (RFC 7468) by `<PRIVATE_KEY>`. Not by a pattern, which would search to the
 * end of the text from every beginning without an end. A key without an end, as in a text that was cut,
 * ends where the next dashes are.
 */
function redactPrivateKeys(text: string, markers: Markers): string {
  if (!text.includes('PRIVATE KEY')) return text;
  let redacted = '';
  let copied = 0;
  BEGIN.lastIndex = 0;
  for (let begin = BEGIN.exec(text); begin !== null; begin = BEGIN.exec(text)) {
    redacted += text.slice(copied, begin.index);
    copied = endOfKey(text, begin.index + begin[0].length);
    redacted += markers.marker('PRIVATE_KEY', text.slice(begin.index, copied));
    BEGIN.lastIndex = copied;
  }
  return redacted + text.slice(copied);
}

function endOfKey(text: string, from: number): number {
  const dashes = text.indexOf('-----', from);
  if (dashes === -1) return text.length;
  END.lastIndex = dashes;
  return END.test(text) ? END.lastIndex : dashes;
}
