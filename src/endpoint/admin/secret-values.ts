/**
 * Values of a configuration that may be secrets: what stands in their place on a page, and how they come back where that stayed.
 *
 * Too much is hidden rather than too little: what is hidden and not touched is kept as it was.
 * @module
 */
import { SwitchboardError } from '../../core/errors.ts';
import { isObject } from '../../wire/jsonrpc.ts';

/** Stands for a value that is not shown. Where it comes back, the value stays. */
export const KEPT = '[unchanged]';

/** Their values may be secrets, unless they name a variable of the environment. */
const SECRET_MAPS = new Set(['headers', 'env']);
const REFERENCE = /^(?:[A-Za-z]+ )?\$\{[^}]+\}$/;
const SECRET_NAME =
  /token|secret|passw(?:or)?d|passphrase|api-?_?key|access-?_?key|private-?_?key|authorization|credential|cookie|assertion|^(?:key|pat|auth)$/i;
/** What follows a flag of such a name is a secret, and what stands behind its `=`. */
const FLAG = /^--?([\w-]+)$/;
const ASSIGNMENT = /^(?:--?)?([\w-]+)=(.*)$/s;
const HEADER_FLAG = /^(?:-H|--headers?)$/;
const HEADER = /^([\w-]+\s*:\s*)(.+)$/s;

/** Shapes of credentials, wherever they stand. */
const SHAPES: readonly RegExp[] = [
  /\b(?:bearer|basic)\s+(?!\$\{)[\w\-.~+/]{6,}=*/gi,
  /\b(?:gh[opsur]_|github_pat_|glpat-|xox[abposr]-|sk-|rk-|pk_live_|sk_live_|npm_|hf_|AIza|AKIA|ASIA|dop_v1_|lin_api_|secret_|ntn_)[\w-]{8,}/g,
  // A JSON Web Token, with what stands before it in its word: read only in words that a point ends, so that time stays linear.
  /(?<![\w-])(?=[\w-]+\.[\w-]{8,}\.)[\w-]*?\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*/g,
  /\bswb_(?:lent_)?[0-9A-Za-z]{12}_[\w-]{43}/g,
  /-----BEGIN [A-Z ]*PRIVATE KEY-----[^-]*(?:-----END [A-Z ]*PRIVATE KEY-----)?/g,
];
/** No word and no path: letters and digits in a row that no person types. */
const RANDOM = /^(?=.*\d)(?=.*[A-Za-z])[\w\-+=.]{32,}$/;

/** A value as a page may show it. */
export function masked(value: unknown): unknown {
  return maskedBelow(value, false, '');
}

function maskedBelow(value: unknown, isInMap: boolean, key: string): unknown {
  if (typeof value === 'string') return maskedText(value, isInMap || SECRET_NAME.test(key));
  if (Array.isArray(value)) {
    return value.map((item, at) => {
      const before = typeof value[at - 1] === 'string' ? (value[at - 1] as string) : '';
      if (typeof item === 'string' && HEADER_FLAG.test(before)) return maskedText(item, false, true);
      return maskedBelow(item, isInMap || SECRET_NAME.test(FLAG.exec(before)?.[1] ?? '') || SECRET_NAME.test(key), '');
    });
  }
  if (!isObject(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, item]) => [name, maskedBelow(item, isInMap || SECRET_MAPS.has(name), name)]),
  );
}

function maskedText(text: string, isSecret: boolean, isHeader = false): string {
  if (text === '' || text === KEPT || REFERENCE.test(text)) return text;
  if (isSecret) return KEPT;
  const [, variable = '', value] = ASSIGNMENT.exec(text) ?? [];
  if (value && SECRET_NAME.test(variable)) return withEnd(text, value);
  const [, name = '', content] = HEADER.exec(text) ?? [];
  if (content && (isHeader || SECRET_NAME.test(name))) return withEnd(text, content);
  if (RANDOM.test(text)) return KEPT;
  return withoutShapes(withoutLogin(text));
}

const withEnd = (text: string, secret: string): string =>
  REFERENCE.test(secret) ? text : `${text.slice(0, text.length - secret.length)}${KEPT}`;

/** The user, the password and the secret parameters of a URL. */
const withoutLogin = (text: string): string =>
  /^\w+:\/\//.test(text)
    ? text
        .replace(/^(\w+:\/\/)[^/@\s]+@/, `$1${KEPT}@`)
        .replace(/([?&;#])([^=&;#\s]+)=([^&;#\s]+)/g, (whole, mark: string, name: string, value: string) =>
          (SECRET_NAME.test(name) || RANDOM.test(value)) && !REFERENCE.test(value) ? `${mark}${name}=${KEPT}` : whole,
        )
    : text;

/** `instead` stands for each credential of a known shape. */
export const withoutShapes = (text: string, instead = KEPT): string =>
  SHAPES.reduce((rest, shape) => rest.replace(shape, instead), text);

/** The value that a page sent, with what it did not show. Throws where a place that was not shown is in no value of before. */
export function unmasked(value: unknown, before: unknown): unknown {
  return unmaskedBelow(value, before, masked(before));
}

function unmaskedBelow(value: unknown, before: unknown, shown: unknown): unknown {
  if (typeof value === 'string') return value.includes(KEPT) ? keptText(value, [[before, shown]]) : value;
  if (Array.isArray(value)) return value.map((item, at) => unmaskedItem(item, at, before, shown));
  if (!isObject(value)) return value;
  const [old, seen] = [isObject(before) ? before : {}, isObject(shown) ? shown : {}];
  return Object.fromEntries(
    Object.entries(value).map(([name, item]) => {
      const was = Object.hasOwn(old, name) ? old[name] : undefined;
      return [name, unmaskedBelow(item, was, was === undefined ? undefined : seen[name])];
    }),
  );
}

/** Items move when others are added: what looked the same is meant, the one at its place first. */
function unmaskedItem(item: unknown, at: number, before: unknown, shown: unknown): unknown {
  const old: unknown[] = Array.isArray(before) ? before : [];
  const seen: unknown[] = Array.isArray(shown) ? shown : [];
  if (typeof item !== 'string') return unmaskedBelow(item, old[at], seen[at]);
  if (!item.includes(KEPT)) return item;
  const others = old.flatMap((value, index): [unknown, unknown][] => (index === at ? [] : [[value, seen[index]]]));
  if (seen[at] === item) return old[at];
  const same = others.filter(([, text]) => text === item);
  if (same.length > 1) throw unknownPlace();
  return keptText(item, [...same, [old[at], seen[at]]]);
}

function keptText(text: string, candidates: readonly [before: unknown, shown: unknown][]): unknown {
  for (const [before, shown] of candidates) {
    if (before === undefined) continue;
    if (shown === text) return before;
    const secrets = typeof before === 'string' && typeof shown === 'string' ? partsOf(before, shown) : undefined;
    const pieces = text.split(KEPT);
    if (secrets && secrets.length > 0 && secrets.length === pieces.length - 1) {
      return pieces.map((piece, index) => `${piece}${secrets[index] ?? ''}`).join('');
    }
  }
  throw unknownPlace();
}

/** What stood where a text is not shown, in its order; undefined where that cannot be told. */
function partsOf(before: string, shown: string): string[] | undefined {
  const pieces = shown.split(KEPT);
  const secrets: string[] = [];
  let at = (pieces[0] ?? '').length;
  for (const piece of pieces.slice(1)) {
    const end = piece === '' ? before.length : before.indexOf(piece, at);
    if (end === -1) return undefined;
    secrets.push(before.slice(at, end));
    at = end + piece.length;
  }
  return secrets;
}

const unknownPlace = (): SwitchboardError =>
  new SwitchboardError(
    'SWB_INVALID_REQUEST',
    `${KEPT} stands for a value that was there before. Write the new value, or better "\${NAME}" of a variable.`,
  );

/** The text of a file without the values that are not shown, of whatever `values` it may hold. */
export function hidden(text: string, values: readonly unknown[]): string {
  const shown = new Map(values.flatMap((value) => hiddenIn(value, masked(value))));
  let clean = text;
  // The longest first: one may stand in another.
  for (const secret of [...shown.keys()].sort((a, b) => b.length - a.length)) {
    clean = clean.replaceAll(JSON.stringify(secret), JSON.stringify(shown.get(secret)));
  }
  return withoutShapes(clean);
}

function hiddenIn(value: unknown, shown: unknown): [secret: string, shown: string][] {
  if (typeof value === 'string') return value === shown ? [] : [[value, String(shown)]];
  if (Array.isArray(value)) return value.flatMap((item, at) => hiddenIn(item, (shown as unknown[])[at]));
  if (!isObject(value)) return [];
  return Object.entries(value).flatMap(([name, item]) => hiddenIn(item, (shown as Record<string, unknown>)[name]));
}
