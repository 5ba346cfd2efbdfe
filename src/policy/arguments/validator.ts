/**
 * A compiled schema. Each has an Ajv instance of its own, so that an `$id` means nothing outside of its schema and nothing
 * outlives it. Nothing is ever fetched; arguments are read and never changed.
 * @module
 */
import { createRequire } from 'node:module';
import type { Ajv, CodeKeywordDefinition, ErrorObject, Options, ValidateFunction } from 'ajv';
import type { JsonObject } from '../../wire/jsonrpc.ts';
import { Budget, payingPerKeyword } from './budget.ts';
import { formats } from './formats.ts';
import { Patterns } from './patterns.ts';
import { type Dialect, dialectOf, maySkipPatterns, outOfBounds } from './schema-bounds.ts';

const require = createRequire(import.meta.url);

type AjvClass = new (options: Options) => Ajv;

/** Loaded with the first schema: a gateway that judges no arguments never needs them. */
const CLASSES: Readonly<Record<Dialect, () => AjvClass>> = {
  '2020-12': () => (require('ajv/dist/2020.js') as typeof import('ajv/dist/2020.js')).Ajv2020,
  '2019-09': () => (require('ajv/dist/2019.js') as typeof import('ajv/dist/2019.js')).Ajv2019,
  'draft-07': () => (require('ajv') as typeof import('ajv')).Ajv,
};

export class Validator {
  /** Expressions that cannot be run safely: everything else is checked. */
  readonly skipped: readonly string[];
  readonly #schema: JsonObject;
  readonly #dialect: Dialect;
  readonly #budget = new Budget();
  readonly #patterns = new Patterns(this.#budget);
  readonly #first: ValidateFunction;
  #all: ValidateFunction | undefined;

  /** Throws when the schema cannot be used; the message says why, for the log. */
  constructor(schema: JsonObject) {
    const fault = outOfBounds(schema);
    if (fault !== undefined) throw new Error(fault);
    const dialect = dialectOf(schema);
    if (dialect === undefined) throw new Error('its $schema is not a dialect that is known');
    // Validation would return a promise.
    if (schema.$async !== undefined) throw new Error('it is asynchronous');
    this.#schema = schema;
    this.#dialect = dialect;
    const skipped = new Set<string>();
    this.#first = this.#compile(false, skipped);
    this.skipped = [...skipped];
  }

  /** The first error, or undefined. Throws when the budget is exceeded. */
  firstErrors(args: unknown): readonly ErrorObject[] | undefined {
    return this.#run(this.#first, args);
  }

  /** Every error, or undefined. */
  allErrors(args: unknown): readonly ErrorObject[] | undefined {
    this.#all ??= this.#compile(true, new Set());
    return this.#run(this.#all, args);
  }

  #run(validate: ValidateFunction, args: unknown): readonly ErrorObject[] | undefined {
    this.#budget.refill();
    try {
      return validate(args) === true ? undefined : (validate.errors ?? []);
    } finally {
      // Errors refer to the arguments.
      validate.errors = null;
    }
  }

  #compile(allErrors: boolean, skipped: Set<string>): ValidateFunction {
    const AjvOfDialect = CLASSES[this.#dialect]();
    const ajv = new AjvOfDialect({
      allErrors,
      strict: false,
      // Members every object inherits (`constructor`) are not the caller's.
      ownProperties: true,
      // Errors carry the schema around them, which the words for the model are made of.
      verbose: true,
      meta: false,
      validateSchema: false,
      inlineRefs: false,
      logger: false,
      formats: formats(),
      code: { regExp: this.#patterns.engine, optimize: false },
    });
    if (maySkipPatterns(this.#schema)) skipUnsafePatterns(ajv, this.#patterns, skipped);
    payingPerKeyword(ajv, this.#budget);
    return ajv.compile(this.#schema);
  }
}

function skipUnsafePatterns(ajv: Ajv, patterns: Patterns, skipped: Set<string>): void {
  const rule = ajv.RULES.all.pattern;
  if (typeof rule !== 'object') return;
  const definition = rule.definition as CodeKeywordDefinition;
  const { code } = definition;
  definition.code = (context, ruleType) => {
    const pattern: unknown = context.schema;
    if (typeof pattern === 'string' && patterns.find(pattern) === undefined) skipped.add(pattern);
    else code.call(definition, context, ruleType);
  };
}
