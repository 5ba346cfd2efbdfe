/**
 * `redact-secrets`: replaces what looks like a credential by its name, in arguments, results and notifications.
 *
 * It sees one message at a time: a secret that arrives in pieces over several progress notifications is not seen, nor is one
 * that is encoded (base64, compressed). Members whose *name* holds a credential are left out.
 * @module
 */
import { RE2JS } from 're2js';
import { z } from 'zod';
import type { Hook, HookDecision, HookInput } from '../src/policy/hooks/contract.ts';
import { setMember } from '../src/policy/hooks/json.ts';
import { PINNED_IN_PARAMS, PINNED_IN_RESULTS } from '../src/policy/hooks/narrows.ts';
import { isObject, type JsonObject } from '../src/wire/jsonrpc.ts';
import { Findings, type RedactText, redactCredentials } from './credentials.ts';
import { isMarker, type NamedSecrets, namedSecrets } from './named-secrets.ts';
import { optionMistake, readOptions } from './options.ts';

const optionsSchema = z.strictObject({
  /** Secrets in arguments: replaced, refused, or let through. */
  onArguments: z.enum(['redact', 'deny', 'allow']).default('redact'),
  /** Names of members whose values are secret whatever they look like: `password`, `api_key`. Case, `-` and `_` do not count. */
  keys: z
    .array(z.string().regex(/^[A-Za-z0-9_ -]{1,100}$/, 'allowed: letters, digits, "-", "_" and spaces'))
    .max(100)
    .default([]),
  /** Own shapes, as RE2 expressions. What matches is replaced by `<NAME>`. */
  patterns: z
    .array(
      z.strictObject({
        name: z.string().regex(/^[A-Z][A-Z0-9_]{0,39}$/, 'allowed: capitals, digits and "_", 40 at most'),
        pattern: z.string().min(1).max(1000),
      }),
    )
    .max(50)
    .default([]),
});

type Options = z.infer<typeof optionsSchema>;

export function redactSecrets(given: Readonly<Record<string, unknown>>): Hook {
  const options = readOptions(optionsSchema, given);
  const redactor = new Redactor(ownShapes(options.patterns), namedSecrets(options.keys));
  return {
    name: 'redact-secrets',
    phases: options.onArguments === 'allow' ? ['call.after', 'notify'] : ['call.before', 'call.after', 'notify'],
    decide: (input) => decide(redactor, options.onArguments, input),
  };
}

function decide(redactor: Redactor, onArguments: Options['onArguments'], input: HookInput): HookDecision | undefined {
  const { args, result, notification } = input;
  const findings = new Findings();
  switch (input.phase) {
    case 'call.before': {
      const redacted = redactor.redact(args ?? {}, findings) as JsonObject;
      if (findings.names.size === 0) return undefined;
      if (onArguments === 'redact') return { effect: 'allow', args: redacted };
      return { effect: 'deny', reason: refusal(findings.names), rule: [...findings.names].join(' ') };
    }
    case 'call.after': {
      const redacted = redactor.redactAround(result, PINNED_IN_RESULTS, findings);
      return findings.names.size === 0 ? undefined : { effect: 'allow', result: redacted };
    }
    case 'notify': {
      const params = redactor.redactAround(notification?.params, PINNED_IN_PARAMS, findings) as JsonObject;
      return findings.names.size === 0 ? undefined : { effect: 'allow', notification: { params } };
    }
    default:
      return undefined;
  }
}

const refusal = (found: ReadonlySet<string>): string =>
  `The arguments hold what looks like a secret (${[...found].join(', ')}). Leave it out; credentials do not travel in arguments.`;

class Redactor {
  readonly #own: RedactText;
  readonly #named: NamedSecrets | undefined;

  constructor(own: RedactText, named: NamedSecrets | undefined) {
    this.#own = own;
    this.#named = named;
  }

  /** Gives back the same value where nothing was found. */
  redact(value: unknown, findings: Findings): unknown {
    if (typeof value === 'string') return this.#text(value, findings);
    if (Array.isArray(value)) {
      const items = value.map((item) => this.redact(item, findings));
      return items.some((item, index) => item !== value[index]) ? items : value;
    }
    return isObject(value) ? this.#members(value, findings) : value;
  }

  /** Members that the protocol needs as they are stay so. */
  redactAround(value: unknown, pinned: ReadonlySet<string>, findings: Findings): unknown {
    if (!isObject(value)) return this.redact(value, findings);
    const kept = Object.entries(value).filter(([key]) => pinned.has(key));
    const others = Object.fromEntries(Object.entries(value).filter(([key]) => !pinned.has(key)));
    return { ...(this.redact(others, findings) as JsonObject), ...Object.fromEntries(kept) };
  }

  #text(text: string, findings: Findings): string {
    const redacted = this.#own(redactCredentials(text, findings), findings);
    return this.#named === undefined ? redacted : this.#named.redactText(redacted, findings);
  }

  #members(object: JsonObject, findings: Findings): JsonObject {
    const redacted: JsonObject = {};
    let changed = false;
    for (const [key, value] of Object.entries(object)) {
      if (this.#text(key, findings) !== key) {
        changed = true;
        continue;
      }
      const name = this.#named?.nameOf(key);
      const replaced = name === undefined ? this.redact(value, findings) : withMarker(value, name, findings);
      if (replaced !== value) changed = true;
      setMember(redacted, key, replaced);
    }
    return changed ? redacted : object;
  }
}

/** What stands under a secret name: every text and number in it. Shapes stay, because a result may not change its own. */
function withMarker(value: unknown, name: string, findings: Findings): unknown {
  if (typeof value === 'string') return isMarker(value, name) ? value : findings.marker(name, value);
  if (typeof value === 'number') return findings.marker(name, String(value));
  if (Array.isArray(value)) return value.map((item) => withMarker(item, name, findings));
  if (!isObject(value)) return value;
  const redacted: JsonObject = {};
  for (const [key, item] of Object.entries(value)) setMember(redacted, key, withMarker(item, name, findings));
  return redacted;
}

/** RE2 takes linear time whatever the expression. */
function ownShapes(patterns: Options['patterns']): RedactText {
  const shapes = patterns.map(({ name, pattern }, index) => {
    const path = ['patterns', index, 'pattern'];
    let compiled: RE2JS;
    try {
      compiled = RE2JS.compile(pattern);
    } catch {
      throw optionMistake(path, 'this is no RE2 expression; look-around and back-references do not exist in it');
    }
    if (compiled.matcher('').matches())
      throw optionMistake(path, 'it matches nothing at all, so it would match everywhere');
    return { name, compiled };
  });
  return (text, findings) =>
    shapes.reduce((redacted, { name, compiled }) => redactOwn(redacted, name, compiled, findings), text);
}

function redactOwn(text: string, name: string, compiled: RE2JS, findings: Findings): string {
  const matcher = compiled.matcher(text);
  let redacted = '';
  let copied = 0;
  while (matcher.find()) {
    redacted += `${text.slice(copied, matcher.start())}${findings.marker(name, matcher.group() ?? '')}`;
    copied = matcher.end();
  }
  return redacted + text.slice(copied);
}
