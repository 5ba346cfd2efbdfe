import { readdir, readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { compileCondition } from './conditions.ts';
import { type ConditionOperator, OPERATORS, operatorOf } from './operators.ts';
import { POLICY_WORDS } from './schema/document.ts';
import { policyMistakes, rule } from './testing/parse.ts';

const NAMES = Object.keys(OPERATORS) as ConditionOperator[];
const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const AT = ['tools', 'x', 'require', 0, 'conditions', 0];

/** Values of every JSON type; each operator takes one of them and refuses one of them. */
const VALUES: readonly unknown[] = [1, 'a', true, null, ['a']];

const mistakesOf = (op: string, value: unknown): readonly string[] | undefined => {
  try {
    rule({ require: [{ conditions: [{ path: 'args.a', op, value }] }] });
    return undefined;
  } catch {
    return policyMistakes({
      version: '1',
      default: 'deny',
      tools: { t: { require: [{ conditions: [{ path: 'args.a', op, value }] }] } },
    });
  }
};

describe('the table of operators', () => {
  it('gives policy.schema.json its operators and the values each is compared with', () => {
    expect(POLICY_WORDS.schemaAt([...AT, 'op'])?.enum).toEqual(NAMES);
    const rules = POLICY_WORDS.schemaAt(AT)?.allOf as {
      if: { properties: { op: { enum: string[] } } };
      then: { properties: { value: object } };
    }[];
    for (const name of NAMES) {
      const own = rules.filter((each) => each.if.properties.op.enum.includes(name));
      expect(own.map(({ then }) => then.properties.value)).toEqual([operatorOf(name).operand.schema]);
    }
  });

  it('gives editors the words for what an operator is compared with', () => {
    const description = POLICY_WORDS.schemaAt([...AT, 'value'])?.description;
    for (const name of NAMES) {
      const { words } = operatorOf(name).operand;
      if (words !== undefined)
        expect(description).toMatch(new RegExp(`${words.replaceAll(/[()]/g, '\\$&')} for [^,]*`));
      expect(String(description).includes(name)).toBe(words !== undefined);
    }
  });

  it.each(NAMES)('decides which values a document may compare with %s', (name) => {
    for (const value of VALUES) {
      const problem = operatorOf(name).operand.problem(value, name);
      const lines = mistakesOf(name, value);
      expect(lines).toEqual(problem && [`policy.json tools.t.require[0].conditions[0].value: ${problem}.`]);
    }
    expect(VALUES.some((value) => mistakesOf(name, value) !== undefined)).toBe(true);
    expect(VALUES.some((value) => mistakesOf(name, value) === undefined)).toBe(true);
  });

  it.each(NAMES)('gives %s its meaning', (name) => {
    const wanted = VALUES.find((value) => operatorOf(name).operand.problem(value, name) === undefined);
    const satisfies = operatorOf(name).compile(wanted);
    for (const value of VALUES) {
      expect(compileCondition({ path: 'args.a', op: name, value: wanted })({ a: value })).toBe(satisfies(value));
    }
  });

  it('is the only production file that names an operator as text', async () => {
    const named: string[] = [];
    for (const folder of ['src', 'hooks', 'adapters']) {
      const files = await readdir(`${ROOT}${folder}`, { recursive: true });
      for (const file of files) {
        if (!file.endsWith('.ts') || file.endsWith('.test.ts') || file.includes('testing/')) continue;
        const text = await readFile(`${ROOT}${folder}/${file}`, 'utf8');
        if (/\b(?:not_in|neq|lte|gte)\b/.test(text)) named.push(`${folder}/${file}`);
      }
    }
    expect(named).toEqual(['src/policy/language/operators.ts']);
  });

  it('has a row in docs/policy.md for every operator', async () => {
    const text = await readFile(`${ROOT}docs/policy.md`, 'utf8');
    const documented = [...text.matchAll(/^\| ((?:`\w+`(?:, )?)+) \|/gm)].flatMap(([, cell = '']) =>
      [...cell.matchAll(/`(\w+)`/g)].map(([, name]) => name),
    );
    for (const name of NAMES) expect(documented, name).toContain(name);
  });
});
