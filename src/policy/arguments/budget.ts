/**
 * Bounds the cost of one validation. Schemas come from servers and arguments from clients, and together they can require
 * endless work: a chain of thirty definitions that each refer twice to the next is 2^30 steps for any argument. So each
 * evaluated keyword spends a part of the budget, loops and long texts by their length.
 * @module
 */
import { createRequire } from 'node:module';
import type { Ajv, CodeKeywordDefinition, KeywordCxt } from 'ajv';

const require = createRequire(import.meta.url);

/** A step takes 5 to 30 ns, so this is about 50 ms. */
export const STEPS = 2_000_000;

/** Validation exceeded its budget. */
class BudgetSpent extends Error {}

export class Budget {
  #left = 0;

  refill(): void {
    this.#left = STEPS;
  }

  spend(steps: number): void {
    this.#left -= steps;
    if (this.#left < 0) throw new BudgetSpent('it costs too much');
  }

  /** For keywords that look at every member, item or character. */
  spendOn(value: unknown, steps: number): void {
    this.spend(steps + sizeOf(value));
  }

  /** For keywords that compare every item with every other. */
  spendOnPairs(value: unknown, steps: number): void {
    this.spend(steps + (Array.isArray(value) ? value.length ** 2 : 0));
  }
}

function sizeOf(value: unknown): number {
  if (typeof value === 'string') return value.length / 8;
  if (Array.isArray(value)) return value.length;
  if (typeof value !== 'object' || value === null) return 0;
  let members = 0;
  for (const _member in value) members++;
  return members;
}

const LOOPS = new Set([
  'additionalItems',
  'additionalProperties',
  'contains',
  'format',
  'items',
  'maxLength',
  'maxProperties',
  'minLength',
  'minProperties',
  'patternProperties',
  'prefixItems',
  'propertyNames',
  'unevaluatedItems',
  'unevaluatedProperties',
]);

/** Keywords that call functions, or make errors only to drop them. */
const COSTLY = new Set(['$ref', '$dynamicRef', '$recursiveRef', 'anyOf', 'oneOf', 'not', 'if']);
const COSTLY_STEPS = 15;

const SCALARS = new Set(['string', 'number', 'integer', 'boolean', 'null']);

/** Makes this instance generate code that spends from `budget` at each keyword. */
export function payingPerKeyword(ajv: Ajv, budget: Budget): void {
  for (const [keyword, rule] of Object.entries(ajv.RULES.all)) {
    if (typeof rule !== 'object' || !('code' in rule.definition)) continue;
    const definition = rule.definition as CodeKeywordDefinition;
    const { code } = definition;
    definition.code = (context, ruleType) => {
      pay(context, keyword, budget);
      return code.call(definition, context, ruleType);
    };
  }
}

function pay({ gen, data, schema, parentSchema }: KeywordCxt, keyword: string, budget: Budget): void {
  const { _ } = require('ajv') as typeof import('ajv');
  const name = gen.scopeValue('obj', { ref: budget });
  const parts = typeof schema === 'object' && schema !== null ? Object.keys(schema).length : 0;
  const steps = 1 + parts + (COSTLY.has(keyword) ? COSTLY_STEPS : 0);
  if (keyword === 'uniqueItems' && !hasScalarItems(parentSchema)) gen.code(_`${name}.spendOnPairs(${data}, ${steps})`);
  else if (LOOPS.has(keyword) || keyword === 'uniqueItems') gen.code(_`${name}.spendOn(${data}, ${steps})`);
  else gen.code(_`${name}.spend(${steps})`);
}

/** Ajv looks scalar items up instead of comparing them in pairs. */
function hasScalarItems({ items }: KeywordCxt['parentSchema']): boolean {
  return SCALARS.has((items as { type?: string } | undefined)?.type ?? '');
}
