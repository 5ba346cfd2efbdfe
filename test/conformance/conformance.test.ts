import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { CLIENT_SCENARIOS, STEPS } from './client/scenarios.ts';
import { byId, type Check, passes, type Results, readResults, type Status } from './harness/checks.ts';
import { shortcomings } from './harness/client-leg.ts';
import { compare, tally } from './harness/compare.ts';
import { parseRequirements, readRequirements } from './harness/requirements.ts';
import { knownIn } from './known-losses.ts';
import { mappingOf } from './names/mapping.ts';
import { PAIRINGS, type Pairing } from './pairings.ts';
import { lossList, type Row, table, withReport } from './report.ts';

const check = (status: Status, reason?: string): Check => ({ status, reason });
const results = (scenarios: Record<string, Record<string, Status>>): Results =>
  Object.fromEntries(
    Object.entries(scenarios).map(([name, checks]) => [
      name,
      Object.fromEntries(Object.entries(checks).map(([id, status]) => [id, check(status)])),
    ]),
  );

describe('the checks of a scenario', () => {
  it('count once each, with their worst status and its reason', () => {
    const reported = [
      { id: 'a', status: 'SUCCESS' as const },
      { id: 'a', status: 'WARNING' as const, errorMessage: 'odd' },
      { id: 'a', status: 'INFO' as const },
      { id: 'b', status: 'FAILURE' as const, errorMessage: 'first' },
      { id: 'b', status: 'FAILURE' as const, errorMessage: 'second' },
    ];
    expect(byId(reported)).toEqual({ a: check('WARNING', 'odd'), b: check('FAILURE', 'first') });
  });

  it.each<[Status[], boolean]>([
    [['SUCCESS', 'INFO', 'SKIPPED'], true],
    [['SUCCESS', 'WARNING'], true],
    [['SUCCESS', 'FAILURE'], false],
    [['WARNING'], false],
    [['SKIPPED', 'INFO'], false],
    [[], false],
  ])('of statuses %j pass: %s', (statuses, expected) => {
    expect(passes(Object.fromEntries(statuses.map((status, i) => [`c${i}`, check(status)])))).toBe(expected);
  });

  it('are read from the folders the suite writes; a scenario without a file is missing', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'switchboard-conformance-test-'));
    const stamp = '2026-11-20T17-06-03-877Z';
    const write = async (name: string, text?: string): Promise<void> => {
      await mkdir(join(folder, name), { recursive: true });
      if (text !== undefined) await writeFile(join(folder, name, 'checks.json'), text);
    };
    try {
      await write(`server-server-initialize-${stamp}`, '[{"id":"a","status":"SUCCESS"}]');
      await write(`server-ping-${stamp}`);
      expect(await readResults(folder, 'server')).toEqual({ 'server-initialize': { a: check('SUCCESS') } });
      await write(`sse-retry-${stamp}`, '[]');
      expect(Object.keys(await readResults(folder, 'client'))).toContain('sse-retry');
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});

describe('a loss', () => {
  it.each<[Status, Status | undefined, boolean]>([
    ['SUCCESS', 'SUCCESS', false],
    ['SUCCESS', 'WARNING', true],
    ['SUCCESS', 'SKIPPED', true],
    ['SUCCESS', 'INFO', true],
    ['SUCCESS', undefined, true],
    ['INFO', 'FAILURE', true],
    ['SKIPPED', 'WARNING', true],
    ['FAILURE', 'FAILURE', false],
    ['WARNING', 'FAILURE', false],
    ['INFO', undefined, false],
    ['SKIPPED', 'SUCCESS', false],
  ])('of %s directly and %s through the gateway: %s', (before, after, lost) => {
    const through: Record<string, Status> = after === undefined ? {} : { c: after };
    expect(compare(results({ s: { c: before } }), results({ s: through }))).toHaveLength(lost ? 1 : 0);
  });

  it('includes everything of a scenario that crashed, and failures that are new', () => {
    const direct = results({ crashed: { a: 'SUCCESS', b: 'INFO' }, other: { c: 'SUCCESS' } });
    const through = results({ other: { c: 'SUCCESS', d: 'FAILURE' } });
    expect(compare(direct, through)).toMatchObject([
      { scenario: 'crashed', check: 'a', through: 'absent', reason: 'the scenario crashed' },
      { scenario: 'other', check: 'd', direct: 'absent', through: 'FAILURE' },
    ]);
  });

  it('is known where the list of known losses says so, for that check of that scenario in that pairing', () => {
    const pairing = (id: string) => PAIRINGS.find((candidate) => candidate.id === id) as Pairing;
    const scenario = 'input-required-result-basic-elicitation';
    const known = 'sep-2322-elicitation-complete';
    expect(knownIn(pairing('2026-legacy-v1'))(scenario, known)).toMatch(/user_name/);
    expect(knownIn(pairing('merged-2026-legacy-v1'))(scenario, known)).toMatch(/user_name/);
    expect(knownIn(pairing('2026-modern'))(scenario, known)).toBeUndefined();
    expect(knownIn(pairing('2026-legacy-v1'))(scenario, 'another')).toBeUndefined();
    expect(knownIn(pairing('2026-legacy-v1'))('another', known)).toBeUndefined();
  });

  it('of a client scenario is all that did not succeed', () => {
    const found = results({ a: { x: 'SUCCESS', y: 'INFO', z: 'SKIPPED' } });
    expect(shortcomings(found, ['a', 'b'])).toMatchObject([
      { scenario: 'a', check: 'z', through: 'SKIPPED' },
      { scenario: 'b', check: '(scenario)', through: 'FAILURE' },
    ]);
  });
});

describe('the required scenarios', () => {
  it('are read by leg, apart from those that are not scored', () => {
    const yaml = [
      '# server:',
      'server:',
      '  - one',
      '  - auth/two',
      'client:',
      '  - three',
      'not_scored:',
      '  - scenario: four',
      '    leg: server',
      '    reason: pending',
      '  - scenario: five',
      '    leg: client',
    ].join('\n');
    const server = parseRequirements(yaml, 'server');
    expect([[...server.scored], [...server.notScored]]).toEqual([['one', 'auth/two'], ['four']]);
    expect([...parseRequirements(yaml, 'client').notScored]).toEqual(['five']);
  });

  it.each([
    ['2025-11-25', 30],
    ['2026-07-28', 37],
  ] as const)(
    'of %s are %i for servers; those for clients without authorization all have steps',
    async (rev, count) => {
      expect((await readRequirements(rev, 'server')).scored.size).toBe(count);
      const { scored } = await readRequirements(rev, 'client');
      const required = [...scored].filter((name) => !name.startsWith('auth/'));
      expect(CLIENT_SCENARIOS[rev]).toEqual(expect.arrayContaining(required));
      expect(Object.keys(STEPS)).toEqual(expect.arrayContaining([...CLIENT_SCENARIOS[rev]]));
    },
  );

  it('are counted; one that is missing did not pass', () => {
    const found = results({ a: { x: 'SUCCESS', y: 'SUCCESS' }, b: { x: 'SUCCESS', z: 'FAILURE' } });
    expect(tally(found, ['a', 'b', 'c'])).toEqual({ passed: 1, of: 3, checks: 3 });
  });
});

describe('names in the merged view', () => {
  const { outward, header, inward } = mappingOf('first');

  it('are the server’s own on the way out', () => {
    expect(outward('tools/call', { name: 'x', arguments: { name: 'x' } })).toEqual({
      name: 'first__x',
      arguments: { name: 'x' },
    });
    expect(outward('resources/subscribe', { uri: 'test://x' })).toEqual({ uri: 'first+test://x' });
    expect(outward('completion/complete', { ref: { type: 'ref/prompt', name: 'p' } })).toEqual({
      ref: { type: 'ref/prompt', name: 'first__p' },
    });
    expect(outward('completion/complete', { ref: { type: 'ref/resource', uri: 't' } })).toEqual({
      ref: { type: 'ref/resource', uri: 'first+t' },
    });
    expect(outward('subscriptions/listen', { notifications: { resourceSubscriptions: ['u'] } })).toEqual({
      notifications: { resourceSubscriptions: ['first+u'] },
    });
    expect(outward('ping', { name: 'x' })).toEqual({ name: 'x' });
    expect([header('prompts/get', 'x'), header('resources/read', 'u'), header('ping', 'x')]).toEqual([
      'first__x',
      'first+u',
      'x',
    ]);
  });

  it('are the suite’s on the way back, its own entries first', () => {
    const list = { result: { tools: [{ name: 'second__x' }, { name: 'first__x' }, { name: 'connectServer' }] } };
    inward(list);
    expect(list.result.tools.map(({ name }) => name)).toEqual(['x', 'second__x', 'connectServer']);
    const content = { result: { content: [{ resource: { uri: 'first+a' } }, { uri: 'second+b', name: 'first__n' }] } };
    inward([content]);
    expect(content.result.content).toEqual([{ resource: { uri: 'a' } }, { uri: 'second+b', name: 'first__n' }]);
    const resources = { result: { resources: [{ uri: 'first+a', name: 'first__n' }] } };
    inward(resources);
    expect(resources.result.resources).toEqual([{ uri: 'a', name: 'first__n' }]);
    const error = { error: { code: -32602, data: { uri: 'first+a' } } };
    inward(error);
    expect(error.error.data.uri).toBe('a');
  });
});

describe('the report', () => {
  const count = { passed: 1, of: 2, checks: 3 };
  const loss = { scenario: 's', direct: 'SUCCESS' as const, through: 'INFO' as const, reason: 'because' };
  const row: Row = {
    id: 'pair',
    client: 'c',
    upstream: 'u',
    direct: count,
    through: count,
    directMore: { passed: 0, of: 0, checks: 0 },
    throughMore: { passed: 0, of: 0, checks: 0 },
    losses: [
      { ...loss, check: 'a', known: undefined },
      { ...loss, check: 'b', known: 'It cannot be.' },
    ],
  };

  it('has a line per pairing and names every loss', () => {
    expect(table([row]).split('\n').at(-1)).toMatch(/pair .* 1\/2 → 1\/2 .* 3 → 3 .* – .* 1 .* 1 /);
    expect(lossList([row]).split('\n')).toEqual([
      '- LOST in pair: s / a: SUCCESS → INFO (because)',
      '- It cannot be.',
      '  - `b` of s in pair',
    ]);
  });

  it('stands between its markers in the documentation', () => {
    const page = 'before\n<!-- conformance:begin -->\nold\n<!-- conformance:end -->\nafter';
    expect(withReport(page, 'new')).toBe(
      'before\n<!-- conformance:begin -->\n\nnew\n\n<!-- conformance:end -->\nafter',
    );
    expect(() => withReport('nothing', 'new')).toThrow(/no <!-- conformance:begin/);
  });
});
