import { describe, expect, it } from 'vitest';
import { parsePolicyDocument, policy, rule } from './testing/parse.ts';
import { PUBLISHED_POLICIES } from './testing/policies.ts';

describe('parsePolicyDocument: published documents', () => {
  it.each(PUBLISHED_POLICIES)('reads the published policy of $tool', ({ tool, max, policy: printed }) => {
    const { document } = parsePolicyDocument(printed, 'server:s');
    expect(document).toMatchObject({ id: 'server:s', mode: 'enforce', default: 'deny', hide: [], allTools: [] });
    expect([...(document?.sections.tools ?? [])]).toEqual([
      [
        tool,
        {
          action: 'allow',
          reason: undefined,
          require: [],
          denyIf: [],
          approveIf: [],
          approvalTimeoutMs: 600_000,
          approver: 'client',
          limits: [
            {
              counter: `${tool.toLowerCase()}_rate`,
              windowMs: 60_000,
              windowName: 'minute',
              sliding: false,
              max,
              scope: 'grant',
              increment: 1,
              incrementFrom: undefined,
              onDeny: undefined,
            },
          ],
          redact: [],
          schema: undefined,
        },
      ],
    ]);
  });

  it('reads text with comments, and one printed as text', () => {
    const text = `// Pasted.\n${JSON.stringify(PUBLISHED_POLICIES[0].policy, null, 2).replace(/\n}$/, ',\n}')}`;
    expect(parsePolicyDocument(text, 'x')).toEqual(parsePolicyDocument(PUBLISHED_POLICIES[0].policy, 'x'));
  });

  it('reads the rules of financial and destructive tools', () => {
    const document = policy({
      hide: ['drop_table', '*_all', 'drop_table'],
      tools: { pay: { deny_if: [{ conditions: [], on_deny: 'Requires human approval.' }] }, look: {} },
    });
    expect(document.hide).toEqual(['drop_table', '*_all']);
    expect(document.sections.tools.get('pay')?.denyIf).toEqual([
      { name: undefined, conditions: [], onDeny: 'Requires human approval.' },
    ]);
    expect(document.sections.tools.get('look')).toMatchObject({ action: 'allow', require: [], denyIf: [], limits: [] });
  });

  it('keeps the order of names, and the names, of every section', () => {
    const rules = { 'z*': {}, 'größe ✓': {}, 'a*': {}, '*': {} };
    const document = policy({ tools: rules, prompts: rules, resources: rules, agents: rules, methods: rules });
    for (const section of Object.values(document.sections)) expect([...section.keys()]).toEqual(Object.keys(rules));
  });
});

describe('parsePolicyDocument: extensions and aliases', () => {
  it('reads limits with all their keys', () => {
    const limits = [
      { counter: 'a', window: 'second', max: 0 },
      { counter: 'a', window: 'hour', max: 5, scope: 'session', sliding: true, increment: 3, on_deny: 'Enough.' },
      { counter: 'spent', window: 'day', max: 1000, scope: 'all', increment_from: 'args.amount' },
      { counter: 'a', window: 'day', max: 5, scope: 'server' },
      { counter: 'g', window: 'minute', max: 5, scope: 'global' },
    ];
    const expected = [
      { windowMs: 1_000, windowName: 'second', max: 0, scope: 'grant', sliding: false, increment: 1 },
      { windowMs: 3_600_000, scope: 'session', sliding: true, increment: 3, onDeny: 'Enough.' },
      { windowMs: 86_400_000, scope: 'global', incrementFrom: 'args.amount' },
      { scope: 'server' },
      { scope: 'global' },
    ];
    expect(rule({ limits }).limits).toMatchObject(expected);
    expect(policy({ all_tools: { limits } }).allTools).toMatchObject(expected);
  });

  it.each([
    [
      { max: 30, window: 60 },
      { windowMs: 60_000, windowName: 'minute' },
    ],
    [
      { max: 30, window: 'minute' },
      { windowMs: 60_000, windowName: 'minute' },
    ],
    [
      { max: 30, window: 3600 },
      { windowMs: 3_600_000, windowName: 'hour' },
    ],
    [
      { max: 30, window: 30 },
      { windowMs: 30_000, windowName: '30 seconds' },
    ],
    [
      { max: 30, window: 'day' },
      { windowMs: 86_400_000, windowName: 'day' },
    ],
  ])('reads rate_limit %j as a limit of the grant under the published counter', (rate_limit, window) => {
    const limit = { counter: 'tool_a_rate', max: 30, scope: 'grant', sliding: false, increment: 1, ...window };
    expect(rule({ rate_limit }).limits).toMatchObject([limit]);
    expect(rule({ rules: [{ rate_limit }] }).limits).toMatchObject([limit]);
  });

  it('folds a list of older rules into one: the strictest action, and of one window the least', () => {
    const folded = rule({
      rules: [
        { action: 'allow', rate_limit: { max: 30, window: 60 } },
        { action: 'require_approval', reason: 'Ask.' },
        { rate_limit: { max: 10, window: 'minute' } },
        { rate_limit: { max: 100, window: 3600 } },
      ],
    });
    expect(folded).toMatchObject({ action: 'require_approval', reason: 'Ask.' });
    expect(folded.approveIf).toEqual([{ name: undefined, conditions: [], onDeny: 'Ask.' }]);
    expect(folded.limits.map(({ windowName, max }) => [windowName, max])).toEqual([
      ['minute', 10],
      ['hour', 100],
    ]);
    expect(rule({ action: 'allow', rules: [{ action: 'deny', reason: 'No.' }] })).toMatchObject({
      action: 'deny',
      reason: 'No.',
    });
    expect(rule({ action: 'deny', reason: 'First.', rules: [{ action: 'deny', reason: 'Second.' }] }).reason).toBe(
      'First.',
    );
  });

  it('reads a bare condition as a predicate of one', () => {
    const condition = { path: 'args.items.0.price', op: 'gt', value: '10' };
    const { require, denyIf } = rule({
      require: [
        { ...condition, on_deny: 'Too dear.' },
        { name: 'both', conditions: [condition, condition] },
      ],
      deny_if: [condition],
    });
    expect(require).toEqual([
      { name: undefined, conditions: [condition], onDeny: 'Too dear.' },
      { name: 'both', conditions: [condition, condition], onDeny: undefined },
    ]);
    expect(denyIf).toEqual([{ name: undefined, conditions: [condition], onDeny: undefined }]);
  });

  it('reads approve as true, one predicate, one condition or a list, and approve_if as the same', () => {
    const condition = { path: 'args.a', op: 'exists', value: true };
    const always = { name: undefined, conditions: [], onDeny: undefined };
    const one = { ...always, conditions: [condition] };
    for (const key of ['approve', 'approve_if']) {
      expect(rule({ [key]: true }).approveIf).toEqual([always]);
      expect(rule({ [key]: { conditions: [condition] } }).approveIf).toEqual([one]);
      expect(rule({ [key]: condition }).approveIf).toEqual([one]);
      expect(rule({ [key]: [condition, { conditions: [] }] }).approveIf).toEqual([one, always]);
      expect(rule({ [key]: true }).action).toBe('allow');
    }
    expect(rule({ action: 'require_approval', approve: condition }).approveIf).toEqual([always, one]);
  });

  it.each([
    ['90s', 90_000],
    ['10m', 600_000],
    ['24h', 86_400_000],
  ])('reads approval_timeout %s', (approval_timeout, ms) => {
    expect(rule({ approval_timeout, approver: 'operator' })).toMatchObject({
      approvalTimeoutMs: ms,
      approver: 'operator',
    });
  });

  it('reads redact, schema, mode and description', () => {
    const schema = { type: 'object', properties: { qos: { enum: [0, 1, 2] } } };
    const redact = ['args.password', 'result.content.*.text', 'args.password'];
    expect(rule({ redact, schema })).toMatchObject({ redact: ['args.password', 'result.content.*.text'], schema });
    expect(policy({ mode: 'shadow', description: 'Try.', $schema: './policy.schema.json' })).toMatchObject({
      mode: 'shadow',
      description: 'Try.',
    });
  });

  it('accepts every operator with the values it can be compared with', () => {
    const values: Record<string, readonly unknown[]> = {
      eq: ['a', 1, true, null],
      neq: ['a', 1.5, false, null],
      in: [[], ['a', 1, null]],
      not_in: [['a']],
      lt: [1, '1.5'],
      lte: [-1],
      gt: ['-1e3'],
      gte: [0],
      regex: ['^(a+)+$', '\\p{L}+'],
      contains: ['a', 1, false],
      exists: [true, false],
    };
    for (const [op, list] of Object.entries(values)) {
      for (const value of list) {
        const condition = { path: 'args.a', op, value };
        expect(rule({ require: [{ conditions: [condition] }] }).require[0]?.conditions).toEqual([condition]);
      }
    }
  });
});
