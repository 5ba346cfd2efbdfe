/**
 * What well-known credentials look like, and replacing them in text.
 *
 * Texts come from servers and may be megabytes of anything, so every pattern takes time linear in the text: no quantifier
 * stands inside another; one without an upper bound is followed by nothing that could fail; and where a pattern begins with
 * a long run of characters it begins only at the run's beginning. A pattern is only tried where one of its `hints` is in
 * the text at all, because looking for a fixed string costs a fraction.
 * @module
 */
import { redactPrivateKeys } from './private-keys.ts';

/** The name stands where the credential was: `<GITHUB_TOKEN>`. */
export interface CredentialShape {
  name: string;
  /** One of these is in every match. Undefined: it is always tried. */
  hints: readonly string[] | undefined;
  /** Global. A group `before` (and one `after`) stays as it is. */
  pattern: RegExp;
}

/**
 * The beginning of a word, also where the text is JSON inside JSON and a line break before it is spelt as two letters
 * (`\n`).
 */
const START = String.raw`(?:(?<![A-Za-z0-9_-])|(?<=\\[bfnrt]))`;
/** A quote as it is, or as it is spelt inside JSON inside JSON. */
const QUOTE = String.raw`(?:\\{0,3}["'])?`;

const shape = (name: string, hints: readonly string[] | undefined, source: string, flags = ''): CredentialShape => ({
  name,
  hints,
  pattern: new RegExp(source, `g${flags}`),
});

/** In the order they are tried: of two that could match the same text the more particular one is first. */
export const CREDENTIAL_SHAPES: readonly CredentialShape[] = [
  shape('ANTHROPIC_API_KEY', ['sk-ant-'], 'sk-ant-[A-Za-z0-9_-]{16,}'),
  shape(
    'OPENAI_API_KEY',
    ['sk-'],
    `${START}sk-(?:(?:proj|svcacct|admin|None|or-v1)-[A-Za-z0-9_-]{16,}|[A-Za-z0-9]{20,})`,
  ),
  shape('GITHUB_TOKEN', ['ghp_', 'gho_', 'ghu_', 'ghs_', 'ghr_'], 'gh[pousr]_[A-Za-z0-9]{36,}'),
  shape('GITHUB_TOKEN', ['github_pat_'], 'github_pat_[A-Za-z0-9_]{22,}'),
  shape('GITLAB_TOKEN', ['glpat-', 'gldt-', 'glrt-', 'glptt-'], 'gl(?:pat|dt|rt|ptt)-[A-Za-z0-9_-]{20,}'),
  shape('NPM_TOKEN', ['npm_'], `${START}npm_[A-Za-z0-9]{36,}`),
  shape('SLACK_TOKEN', ['xox', 'xapp-'], `${START}(?:xox[abeoprs]|xapp)-[A-Za-z0-9-]{10,}`),
  shape('STRIPE_KEY', ['k_live_', 'k_test_'], '[rs]k_(?:live|test)_[A-Za-z0-9]{16,}'),
  shape('GOOGLE_API_KEY', ['AIza'], 'AIza[A-Za-z0-9_-]{35}'),
  shape('AWS_ACCESS_KEY_ID', ['AKIA', 'ASIA'], `${START}A[KS]IA[A-Z0-9]{16}(?![A-Za-z0-9])`),
  shape(
    'AWS_SECRET_ACCESS_KEY',
    undefined,
    `(?<before>secret_?access_?key${QUOTE}\\s{0,5}[:=]\\s{0,5}${QUOTE})[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+])`,
    'i',
  ),
  shape('JWT', ['eyJ'], `${START}eyJ[A-Za-z0-9_-]{8,}\\.[A-Za-z0-9_-]{8,}\\.[A-Za-z0-9_-]*`),
  shape(
    'AUTHORIZATION',
    undefined,
    `(?<before>authorization${QUOTE}\\s{0,5}[:=]\\s{0,5}${QUOTE}(?:bearer|basic|token)\\s{1,5})[^\\s"'\\\\,;<]{4,}`,
    'i',
  ),
  shape('BEARER_TOKEN', undefined, `(?<before>${START}bearer\\s{1,5})[A-Za-z0-9._~+/-]{16,}=*`, 'i'),
  // The user's name stays: it says whose connection it was.
  shape('PASSWORD', ['://'], String.raw`(?<before>:\/\/[^\s/?#@:"'<>\\]{0,256}:)[^\s/?#"'<>\\]{1,1024}(?<after>@)`),
];

/** Replaces what looks like a credential, and tells `found` its name. */
export type RedactText = (text: string, found: (name: string) => void) => string;

export function redactCredentials(text: string, found: (name: string) => void): string {
  let redacted = redactPrivateKeys(text, found);
  for (const { name, hints, pattern } of CREDENTIAL_SHAPES) {
    if (hints !== undefined && !hints.some((hint) => redacted.includes(hint))) continue;
    redacted = redacted.replace(pattern, (...matched) => {
      const groups: unknown = matched.at(-1);
      const { before = '', after = '' } = (typeof groups === 'object' ? groups : {}) as Record<string, string>;
      found(name);
      return `${before}<${name}>${after}`;
    });
  }
  return redacted;
}
