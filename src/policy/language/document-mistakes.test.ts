import { describe, expect, it } from 'vitest';
import { parsePolicyDocument, policyMistakes, ruleMistakes } from './testing/parse.ts';

const condition = (op: string, value?: unknown) => ({ path: 'args.a', op, value });

describe('parsePolicyDocument: mistakes', () => {
  it.each([
    [{}, ['version: found nothing; allowed: "1"', 'default: found nothing; allowed: "allow" or "deny"']],
    [{ version: 1, default: 'deny' }, ['version: found 1; allowed: "1"']],
    [{ version: '1', default: 'dney' }, ['default: found "dney"; did you mean "deny"? allowed: "allow" or "deny"']],
    [
      { version: '1', default: 'deny', tool: {} },
      [
        'tool: found an unknown key; did you mean "tools"? allowed: $schema, version, description, mode, default, hide, ',
      ],
    ],
    [{ version: '1', default: 'deny', mode: 'dry' }, ['mode: found "dry"; allowed: "enforce" or "shadow"']],
    [{ version: '1', default: 'deny', hide: 'x' }, ['hide: found "x"; allowed: a list of strings']],
    [{ version: '1', default: 'deny', tools: [] }, ['tools: found an empty list; allowed: an object']],
    [{ version: '1', default: 'deny', tools: { '': {} } }, ['tools[""]: found a name that is empty']],
    [{ version: '1', default: 'deny', tools: { a: null } }, ['tools.a: found null; allowed: an object']],
    [
      { version: '1', default: 'deny', all_tools: { limit: [] } },
      ['all_tools.limit: found an unknown key; did you mean "limits"?'],
    ],
    [[], [': found an empty list; allowed: a policy document, which is an object']],
    [null, [': found null; allowed: a policy document']],
  ])('are reported for the document %j', (document, expected) => {
    const lines = policyMistakes(document).map((line) => line.replace(/^policy\.json ?/, ''));
    expect(lines).toHaveLength(expected.length);
    for (const [index, start] of expected.entries()) expect(lines[index]?.slice(0, start.length)).toBe(start);
  });

  it('are reported for numbers that no double holds, which would be others than what is written', () => {
    const text = `{"version":"1","default":"deny","tools":{"a":{"deny_if":[{"path":"args.a","op":"eq",
"value": 9007199254740993}],"limits":[{"counter":"c","window":"day","max":1e400}]}}}`;
    const lines = policyMistakes(text);
    expect(lines).toHaveLength(2);
    expect(lines[0]).toContain('policy.json:2:');
    expect(lines[0]).toContain(
      'found the number 9007199254740993, which no double-precision number holds; allowed: the same in quotes, as a string.',
    );
    expect(lines[1]).toContain('found the number 1e400');
  });

  it.each([
    [{ requires: [] }, 'requires: found an unknown key; did you mean "require"? allowed: require, deny_if, approve, '],
    [{ action: 'block' }, 'action: found "block"; allowed: "allow", "deny" or "require_approval".'],
    [{ require: {} }, 'require: found an object; allowed: a list of 100 at most.'],
    [{ require: ['x'] }, 'require[0]: found "x"; allowed: an object.'],
    [{ deny_if: [{}] }, 'deny_if[0].conditions: found nothing; allowed: a list of 100 at most.'],
    [{ deny_if: [{ condition: [] }] }, 'deny_if[0].conditions: found nothing'],
    [{ approve: false }, 'approve: found false; allowed: true or an object or a list of 100 at most.'],
    [{ approve: true, approve_if: [] }, 'approve_if: found besides approve, which it is another name of; write one of'],
    [
      { approval_timeout: '10 minutes' },
      'approval_timeout: found "10 minutes" with other characters; allowed: a whole number and s, m or h, from 1s to 24h.',
    ],
    [{ approval_timeout: '25h' }, 'approval_timeout: found "25h"; allowed: from 1s to 24h.'],
    [{ approval_timeout: '0s' }, 'approval_timeout: found "0s"; allowed: from 1s to 24h.'],
    [{ approver: 'boss' }, 'approver: found "boss"; allowed: "client" or "operator".'],
    [
      { redact: ['password'] },
      'redact[0]: found "password" with other characters; allowed: a path that begins with args. or result..',
    ],
    [{ schema: true }, 'schema: found true; allowed: an object.'],
    [
      { rate_limit: { max: 5 } },
      'rate_limit.window: found nothing; allowed: a whole number from 1 to 2678400 or "second", "minute", "hour" or "day".',
    ],
    [{ rate_limit: { max: 5, window: 0 } }, 'rate_limit.window: found 0; allowed: a whole number from 1 to 2678400 or'],
    [
      { limits: [{ counter: 'a', window: 'week', max: 5 }] },
      'limits[0].window: found "week"; allowed: "second", "minute", "hour" or "day".',
    ],
    [
      { limits: [{ counter: 'a', window: 'day', max: -1 }] },
      'limits[0].max: found -1; allowed: a whole number, 0 or more.',
    ],
    [
      { limits: [{ counter: '', window: 'day', max: 1 }] },
      'limits[0].counter: found an empty string; allowed: a string of 1 to 256 characters.',
    ],
    [
      { limits: [{ counter: 'a', window: 'day', max: 1, increment: 0 }] },
      'limits[0].increment: found 0; allowed: a whole number from 1',
    ],
    [
      { limits: [{ counter: 'a', window: 'day', max: 1, scope: 'user' }] },
      'limits[0].scope: found "user"; allowed: "grant", ',
    ],
    [
      { limits: [{ counter: 'a', window: 'day', max: 1, increment_from: 'amount' }] },
      'limits[0].increment_from: found "amount" with other characters; allowed: a path such as args.amount',
    ],
    [
      {
        limits: [
          { counter: 'a', window: 'day', max: 1 },
          { counter: 'a', window: 'day', max: 2, scope: 'grant' },
        ],
      },
      'limits[1].counter: found the same counter, window and scope a second time in one list; a call would count twice.',
    ],
    [
      { require: [{ path: 'amount', op: 'gt', value: 1 }] },
      'require[0].path: found "amount" with other characters; allowed: a path such as args.amount or args.items.0.price.',
    ],
    [
      { require: [condition('gtt', 1)] },
      'require[0].op: found "gtt"; did you mean "gt"? allowed: "eq", "neq", "in", "not_in", ',
    ],
    [
      { require: [{ conditions: [{ path: 'args.a', op: 'eq' }] }] },
      'require[0].conditions[0].value: found nothing; allowed: a string',
    ],
    [{ require: [condition('eq', {})] }, 'require[0].value: found an object; allowed: a string'],
    [
      { require: [condition('eq', ['a'])] },
      'require[0].value: found a list for eq; allowed: a string, a number, true, false or null.',
    ],
    [{ require: [condition('in', 'a')] }, 'require[0].value: found a single value for in; allowed: a list.'],
    [
      { require: [{ conditions: [condition('not_in', 1)] }] },
      'require[0].conditions[0].value: found a single value for not_in; allowed: a list.',
    ],
    [
      { deny_if: [condition('lt', 'many')] },
      'deny_if[0].value: found something else for lt; allowed: a number, or a string that is one.',
    ],
    [{ deny_if: [condition('gte', true)] }, 'deny_if[0].value: found something else for gte; allowed: a number'],
    [{ deny_if: [condition('lt', '')] }, 'deny_if[0].value: found something else for lt'],
    [{ approve: condition('exists', 'yes') }, 'approve.value: found another value for exists; allowed: true or false.'],
    [{ approve: condition('contains', null) }, 'approve.value: found null for contains'],
    [
      { require: [condition('regex', '(')] },
      'require[0].value: found a regular expression that is not RE2 (missing closing ): `(`); RE2 has no look-around and no back-references.',
    ],
    [
      { require: [condition('regex', '(?=a)')] },
      'require[0].value: found a regular expression that is not RE2 (invalid or unsupported Perl syntax: `(?=`)',
    ],
    [
      { require: [condition('regex', 5)] },
      'require[0].value: found no expression; allowed: a regular expression as a string.',
    ],
    [
      { require: [condition('regex', 'x'.repeat(2_000))] },
      'require[0].value: found a regular expression of 2000 characters; allowed: 1024 at most.',
    ],
  ])('are reported for the rule %j', (entry, start) => {
    const lines = ruleMistakes(entry);
    expect(lines[0]?.slice(0, start.length)).toBe(start);
    expect(lines.length).toBeLessThan(3);
  });

  it('reports all mistakes of a text with their places, in its order', () => {
    const lines = policyMistakes(
      '{\n  "version": "1",\n  "tools": {\n    "a": { "require": [{ "path": "args.x", "op": "in", "value": 1 }] },\n' +
        '    "b": { "limit": [] }\n  },\n  "default": "no"\n}',
    );
    expect(lines.map((line) => line.slice(0, 60))).toEqual([
      'policy.json:4:56 tools.a.require[0].value: found a single va',
      'policy.json:5:12 tools.b.limit: found an unknown key; did yo',
      'policy.json:7:3 default: found "no"; allowed: "allow" or "de',
    ]);
  });

  it('bounds counts, lengths and depth', () => {
    const deep = (levels: number): object => (levels === 0 ? {} : { a: deep(levels - 1) });
    expect(ruleMistakes({ schema: deep(100) })[0]).toContain('nested deeper than 64 levels');
    expect(ruleMistakes({ require: Array(101).fill({ conditions: [] }) })[0]).toContain('a list that is too long');
    const conditions = Array(101).fill(condition('eq', 1));
    expect(ruleMistakes({ require: [{ conditions }] })[0]).toContain('require[0].conditions: found a list that is too');
    expect(ruleMistakes({ require: [condition('in', Array(1_001).fill(1))] })[0]).toContain(
      'require[0].value: found a',
    );
    expect(ruleMistakes({ action: 'deny', reason: 'x'.repeat(2_001) })[0]).toContain(
      'too long; allowed: a string of 0 to 2000 characters',
    );
    expect(policyMistakes({ version: '1', default: 'allow', tools: { ['x'.repeat(3_000)]: {} } })).toEqual([
      `policy.json tools["${'x'.repeat(80)}…"]: found a name that is too long; choose another.`,
    ]);
    const tools = Object.fromEntries(Array.from({ length: 5_001 }, (_, index) => [`t${index}`, {}]));
    expect(policyMistakes({ version: '1', default: 'allow', tools })).toEqual([
      'policy.json tools: found 5001 names; allowed: 5000 at most.',
    ]);
  });

  it('refuses a name that the schema would silently skip', () => {
    const lines = policyMistakes('{"version": "1", "default": "allow", "tools": {"__proto__": {"action": "deny"}}}');
    expect(lines).toEqual(['policy.json:1:48 tools.__proto__: not a usable name; leave it out.']);
  });

  it('expands no variables', () => {
    const value = ['$', '{HOME}'].join('');
    const { document } = parsePolicyDocument({ version: '1', default: 'allow', description: value }, 'x');
    expect(document?.description).toBe(value);
  });
});

describe('parsePolicyDocument: the dialect of Intercept', () => {
  const written = (entry: object, more: object = {}) =>
    policyMistakes({ version: '1', default: 'allow', tools: { create_Refund: entry }, ...more });

  it('reports what to write instead of limits as text', () => {
    const line =
      'a "rate_limit" as text is the dialect of Intercept’s YAML, which is not read; write ' +
      '"limits": [{"counter": "create_refund_rate", "window": "hour", "max": 5}].';
    expect(written({ rate_limit: '5/hour' })).toEqual([`policy.json tools.create_Refund.rate_limit: ${line}`]);
    expect(written({ rules: [{ rate_limit: '5/hour' }] })).toEqual([
      `policy.json tools.create_Refund.rules[0].rate_limit: ${line}`,
    ]);
    expect(written({ rate_limit: '3 / minutes' })[0]).toContain('"window": "minute", "max": 3}');
  });

  it.each([
    [
      { name: 'cap', conditions: [{ path: 'args.amount', op: 'lte', value: 5 }], on_deny: 'No.' },
      '"conditions" inside "rules"',
    ],
    [{ name: 'cap' }, '"name" inside "rules"'],
    [{ action: 'evaluate' }, '"action": "evaluate"'],
  ])('reports what to write instead of rules %j', (item, what) => {
    const lines = written({ rules: [{ action: 'allow' }, item] });
    expect(lines).toHaveLength(1);
    expect(lines[0]).toContain(`tools.create_Refund.rules[1]: ${what} is the dialect of Intercept’s YAML`);
    expect(lines[0]).toContain('write "require": [{"conditions": […], "on_deny": "…"}] instead of "rules"');
  });

  it('reports what to write instead of state and approvals', () => {
    expect(written({ rules: [{ state: { counter: 'x' } }] })[0]).toContain('rules[0].state: "state" is the dialect');
    expect(written({}, { approvals: {} })[0]).toContain('approvals: a top-level "approvals" is the dialect');
  });

  it.each(['version: "1"\ntools:\n  a: {}\n', '# A policy\n---\ntools:\n', 'tools:\n  a:\n    rules: []'])(
    'says of YAML that it is YAML: %j',
    (text) => {
      expect(policyMistakes(text)).toEqual([
        expect.stringMatching(/^policy\.json:1:1: this is YAML, the dialect of Intercept .*written in JSON/),
      ]);
    },
  );

  it('reports where other text stops being JSON', () => {
    expect(policyMistakes('{"version": "1",, }')).toEqual([
      'policy.json:1:17: not JSON: found "," where a key in double quotes or } must be.',
    ]);
    expect(policyMistakes('')[0]).toContain('the file is empty');
  });
});
