// biome-ignore-all lint/suspicious/noTemplateCurlyInString: references in files look like template strings.
import { homedir } from 'node:os';
import { describe, expect, it } from 'vitest';
import { expand } from './expand.ts';

const env = { HOST: 'h', EMPTY: '', NESTED: '${HOST}' };
const value = (text: string): unknown => expand(text, [], env).value;
const problem = (text: string): string | undefined => expand(text, [], env).problems[0]?.problem;

describe('expand', () => {
  it.each([
    ['${HOST}', 'h'],
    ['http://${HOST}:80/${HOST}', 'http://h:80/h'],
    ['${NOPE:-d}', 'd'],
    ['${NOPE:-}', ''],
    ['${EMPTY:-d}', 'd'],
    ['${EMPTY}', ''],
    ['${HOST:-d}', 'h'],
    ['${NOPE:-${HOST}}', 'h'],
    ['${NOPE:-${NEITHER:-${HOST}!}}', 'h!'],
    ['${env:HOST}', 'h'],
    ['${userHome}/x', `${homedir()}/x`],
    ['$HOST and $ and {HOST}', '$HOST and $ and {HOST}'],
    ['$${HOST}', '${HOST}'],
    ['a $${x} ${HOST}', 'a ${x} h'],
    ['${NESTED}', '${HOST}'],
  ])('expands %j to %j', (text, expected) => {
    expect(value(text)).toBe(expected);
    expect(problem(text)).toBeUndefined();
  });

  it('expands strings at any depth, and neither keys nor other values', () => {
    const { value: out, expanded } = expand({ '${HOST}': ['${HOST}', 1, { a: '${HOST}' }], n: null }, ['s'], env);
    expect(out).toEqual({ '${HOST}': ['h', 1, { a: 'h' }], n: null });
    expect([...expanded]).toEqual(['["s","${HOST}",0]', '["s","${HOST}",2,"a"]']);
  });

  it.each([
    ['${NOPE}', 'the environment variable NOPE is not set; set it, or give a default: ${NOPE:-…}'],
    ['${HOST', 'found "${" without its "}"; write $${ for a literal one'],
    ['${}', 'found a reference that is no variable name; allowed: ${VAR}, ${VAR:-default}, and $${ for a literal ${'],
    [
      '${a b}',
      'found a reference that is no variable name; allowed: ${VAR}, ${VAR:-default}, and $${ for a literal ${',
    ],
    [
      '${file:/run/secrets/x}',
      'found ${file:…}, which is not supported; allowed: ${VAR}, ${VAR:-default}, and $${ for a literal ${',
    ],
    [
      '${input:github-token}',
      'found ${input:…}: VS Code asks a person for it, a gateway cannot; write ${GITHUB_TOKEN} and set that environment variable',
    ],
    [
      '${workspaceFolder}/x',
      'found ${workspaceFolder}, which only an editor knows; write a path (relative ones start at this file’s folder) or ${VAR}',
    ],
  ])('reports the problem of %j', (text, message) => {
    expect(problem(text)).toBe(message);
  });

  it('leaves a string with a problem unchanged, and reports it', () => {
    const { value: out, unresolved, problems } = expand({ a: 'x${NOPE}${HOST}' }, [], env);
    expect(out).toEqual({ a: 'x${NOPE}${HOST}' });
    expect([...unresolved]).toEqual(['["a"]']);
    expect(problems).toMatchObject([{ path: ['a'], kind: 'unset' }]);
  });
});
