import { describe, expect, it } from 'vitest';
import { hidden, KEPT, masked, unmasked } from './secret-values.ts';

const ENTRY = {
  command: 'npx',
  args: [
    '-y',
    'server@1.2.3',
    '--api-key',
    'short',
    '--token=abc',
    '--level=3',
    '-e',
    'DB_PASSWORD=hunter2',
    '-H',
    'X-Team: red-17',
    'Authorization: Bearer abcdefgh',
    'https://ada:pass@example.com/mcp?api_key=k1&page=2',
    'ghp_0123456789abcdef0123',
    '9f8e7d6c5b4a39281706f5e4d3c2b1a0ffeeddcc',
    '/home/ada/projects/server/index.js',
  ],
  env: { MODE: 'fast', API_KEY: '${API_KEY}', AUTH: 'Bearer ${TOKEN}' },
  url: 'https://example.com/mcp',
  headers: { 'x-any': 'value' },
  timeoutMs: 5000,
};

describe('an entry as a page shows it', () => {
  it('hides secrets in arguments, variables, headers and addresses, and nothing else', () => {
    expect(masked(ENTRY)).toEqual({
      command: 'npx',
      args: [
        '-y',
        'server@1.2.3',
        '--api-key',
        KEPT,
        `--token=${KEPT}`,
        '--level=3',
        '-e',
        `DB_PASSWORD=${KEPT}`,
        '-H',
        `X-Team: ${KEPT}`,
        `Authorization: ${KEPT}`,
        `https://${KEPT}@example.com/mcp?api_key=${KEPT}&page=2`,
        KEPT,
        KEPT,
        '/home/ada/projects/server/index.js',
      ],
      env: { MODE: KEPT, API_KEY: '${API_KEY}', AUTH: 'Bearer ${TOKEN}' },
      url: 'https://example.com/mcp',
      headers: { 'x-any': KEPT },
      timeoutMs: 5000,
    });
  });

  it('comes back as it was', () => {
    expect(unmasked(masked(ENTRY), ENTRY)).toEqual(ENTRY);
  });

  it('keeps secrets whose surroundings are edited or that have moved', () => {
    const shown = masked(ENTRY) as { args: string[] };
    const args = ['--verbose', ...shown.args.slice(2, 5), `https://${KEPT}@example.org/mcp?api_key=${KEPT}&page=3`];
    expect(unmasked({ args }, { args: ['-y', ...ENTRY.args.slice(2, 5), ENTRY.args[11]] })).toEqual({
      args: ['--verbose', '--api-key', 'short', '--token=abc', 'https://ada:pass@example.org/mcp?api_key=k1&page=3'],
    });
    expect(unmasked({ args: [`--token=${KEPT}`] }, { args: ['-y', '--token=abc'] })).toEqual({ args: ['--token=abc'] });
  });

  it.each([
    ['where nothing stood', { env: { NEW: KEPT } }, { env: { OLD: 'x' } }],
    ['where one of two is meant', { args: [KEPT] }, { args: ['a', '--token', 'one', '--token', 'two'] }],
    ['of a name that every object has', { constructor: KEPT }, {}],
  ])('is refused %s', (_, value, before) => {
    expect(() => unmasked(value, before)).toThrow(/stands for a value that was there before/);
  });
});

it('the text of a file is shown without the values that are hidden, and without credentials in comments', () => {
  const text = `{
  // was: ghp_0123456789abcdef0123
  "env": { "API_KEY": "quo\\"ted" }, "args": ["--token=abc"] }`;
  const clean = hidden(text, [{ env: { API_KEY: 'quo"ted' }, args: ['--token=abc'] }]);
  expect(clean).toBe(`{
  // was: ${KEPT}
  "env": { "API_KEY": "${KEPT}" }, "args": ["--token=${KEPT}"] }`);
});
