/**
 * The hook `redact-secrets`: replaces credentials by their names, in arguments, results and notifications.
 *
 * It sees one message at a time: a secret in pieces over several progress notifications is not recognised, nor one that is
 * encoded (base64, compressed). Members whose *name* holds a credential are removed.
 * @module
 */
import { RE2JS } from 're2js';
import { z } from 'zod';
import {
  type Hook,
  type HookDecision,
  type HookInput,
  hookOptionError,
  PINNED_IN_PARAMS,
  PINNED_IN_RESULTS,
  readHookOptions,
} from '../src/policy/hooks/contract.ts';
import { Markers, type RedactText, redactCredentials } from './credentials.ts';
import { isObject, type JsonObject } from './json.ts';
import { isMarker, type NamedSecrets, namedSecrets } from './named-secrets.ts';

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
  const options = readHookOptions(optionsSchema, given);
  const redactor = new Redactor(ownShapes(options.patterns), namedSecrets(options.keys));
  return {
    name: 'redact-secrets',
    phases: options.onArguments === 'allow' ? ['call.after', 'notify'] : ['call.before', 'call.after', 'notify'],
    decide: (input) => decide(redactor, options.onArguments, input),
  };
}

function decide(redactor: Redactor, onArguments: Options['onArguments'], input: HookInput): HookDecision | undefined {
  const { args, result, notification } = input;
  const markers = new Markers();
  switch (input.phase) {
    case 'call.before': {
      const redacted = redactor.redact(args ?? {}, markers) as JsonObject;
      if (markers.names.size === 0) return undefined;
      if (onArguments === 'redact') return { effect: 'allow', args: redacted };
      return { effect: 'deny', reason: refusal(markers.names), rule: [...markers.names].join(' ') };
    }
    case 'call.after': {
      const redacted = redactor.redactAround(result, PINNED_IN_RESULTS, markers);
      return markers.names.size === 0 ? undefined : { effect: 'allow', result: redacted };
    }
    case 'notify': {
      const params = redactor.redactAround(notification?.params, PINNED_IN_PARAMS, markers) as JsonObject;
      return markers.names.size === 0 ? undefined : { effect: 'allow', notification: { params } };
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

  /** Returns the same value where nothing was found. */
  redact(value: unknown, markers: Markers): unknown {
    if (typeof value === 'string') return this.#text(value, markers);
    if (Array.isArray(value)) {
      const items = value.map((item) => this.redact(item, markers));
      return items.some((item, index) => item !== value[index]) ? items : value;
    }
    return isObject(value) ? this.#members(value, markers) : value;
  }

  /** Redacts all but the `pinned` members, which the protocol needs unchanged. */
  redactAround(value: unknown, pinned: ReadonlySet<string>, markers: Markers): unknown {
    if (!isObject(value)) return this.redact(value, markers);
    const unchanged = Object.entries(value).filter(([key]) => pinned.has(key));
    const others = Object.fromEntries(Object.entries(value).filter(([key]) => !pinned.has(key)));
    return { ...(this.redact(others, markers) as JsonObject), ...Object.fromEntries(unchanged) };
  }

  #text(text: string, markers: Markers): string {
    const redacted = this.#own(redactCredentials(text, markers), markers);
    return this.#named === undefined ? redacted : this.#named.redactText(redacted, markers);
  }

  #members(object: JsonObject, markers: Markers): JsonObject {
    let changed = false;
    const redacted = Object.entries(object).flatMap(([key, value]): [string, unknown][] => {
      if (this.#text(key, markers) !== key) {
        changed = true;
        return [];
      }
      const name = this.#named?.nameOf(key);
      const replaced = name === undefined ? this.redact(value, markers) : withMarker(value, name, markers);
      if (replaced !== value) changed = true;
      return [[key, replaced]];
    });
    return changed ? Object.fromEntries(redacted) : object;
  }
}

/** Replaces every text and number in a value under a secret name. Its shape stays, because results may not change shape. */
function withMarker(value: unknown, name: string, markers: Markers): unknown {
  if (typeof value === 'string') return isMarker(value, name) ? value : markers.marker(name, value);
  if (typeof value === 'number') return markers.marker(name, String(value));
  if (Array.isArray(value)) return value.map((item) => withMarker(item, name, markers));
  if (!isObject(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, withMarker(item, name, markers)]));
}

/** RE2 takes linear time whatever the expression. */
function ownShapes(patterns: Options['patterns']): RedactText {
  const shapes = patterns.map(({ name, pattern }, index) => {
    const path = ['patterns', index, 'pattern'];
    let compiled: RE2JS;
    try {
      compiled = RE2JS.compile(pattern);
    } catch {
      throw hookOptionError(path, 'this is no RE2 expression; look-around and back-references do not exist in it');
    }
    if (compiled.matcher('').matches())
      throw hookOptionError(path, 'it matches nothing at all, so it would match everywhere');
    return { name, compiled };
  });
  return (text, markers) =>
    shapes.reduce((redacted, { name, compiled }) => redactOwn(redacted, name, compiled, markers), text);
}

function redactOwn(text: string, name: string, compiled: RE2JS, markers: Markers): string {
  const matcher = compiled.matcher(text);
  let redacted = '';
  let copied = 0;
  while (matcher.find()) {
    redacted += `${text.slice(copied, matcher.start())}${markers.marker(name, matcher.group() ?? '')}`;
    copied = matcher.end();
  }
  return redacted + text.slice(copied);
}
