import { describe, expect, it } from 'vitest';
import { sha256 } from '../core/hash.ts';
import { isOwnName, nameOfKey, nameOfUrl, nameProblem } from './names.ts';
import { editDistance, nearest } from './nearest.ts';

describe('nearest', () => {
  const known = ['concurrency', 'command', 'maxQueue', 'url'];

  it.each([
    ['concurency', 'concurrency'],
    ['comand', 'command'],
    ['commadn', 'command'],
    ['max_queue', 'maxQueue'],
    ['MAXQUEUE', 'maxQueue'],
    ['uri', 'url'],
    ['ulr', 'url'],
  ])('corrects %s to %s', (word, meant) => {
    expect(nearest(word, known)).toBe(meant);
  });

  it('finds nothing for words that are far from all', () => {
    expect(nearest('timeout', known)).toBeUndefined();
    expect(nearest('x', [])).toBeUndefined();
  });

  it('counts insertions, deletions, substitutions and swaps', () => {
    expect(editDistance('', 'abc')).toBe(3);
    expect(editDistance('abc', 'acb')).toBe(1);
    expect(editDistance('kitten', 'sitting')).toBe(3);
  });
});

describe('names', () => {
  it.each(['a', 'github', 'my-server', 'a.b_c', '127.0.0.1-4111', 'x'.repeat(64)])('%s may be a name', (name) => {
    expect(nameProblem(name)).toBeUndefined();
  });

  it.each([
    ['my server', 'my-server'],
    ['a__b', 'a_b'],
    ['@scope/name', 'scope-name'],
    ['..', undefined],
    ['', undefined],
    ['x'.repeat(65), 'x'.repeat(64)],
    ['größe', 'gr-e'],
  ])('%j may be no name, and the message suggests another', (name, better) => {
    const problem = nameProblem(name);
    expect(problem).toContain('not a usable name; allowed: letters');
    if (better === undefined) expect(problem).not.toContain('would do');
    else expect(problem).toContain(`"${better}" would do`);
  });

  it.each([
    ['Azure MCP Server', 'Azure-MCP-Server'],
    ['Framelink Figma MCP', 'Framelink-Figma-MCP'],
    ['github.com/upstash/context7-mcp', 'github-com-upstash-context7-mcp'],
    ['@praha/byethrow', 'praha-byethrow'],
    ['高德地图', 'GaoDeDeTu'],
    ['Яндекс Café №5', 'Yandeks-Cafe-No5'],
    ['my__server', 'my_server'],
    ['🚀', 'rocket'],
    ['--', `server-${sha256('--', 'hex').slice(0, 8)}`],
    ['All!', 'All-server'],
    ['x'.repeat(70), `${'x'.repeat(55)}-${sha256('x'.repeat(70), 'hex').slice(0, 8)}`],
  ])('the key %j becomes %s', async (key, name) => {
    expect(isOwnName(key)).toBe(false);
    expect(await nameOfKey(key)).toBe(name);
    expect(nameProblem(name)).toBeUndefined();
  });

  it.each(['github', 'all', 'Switchboard', '__proto__'])('the key %j is not respelled', (key) => {
    expect(isOwnName(key)).toBe(true);
  });

  it.each(['switchboard', 'Switchboard', 'all'])('%s is reserved', (name) => {
    expect(nameProblem(name)).toContain('is reserved');
  });

  it.each([
    ['http://localhost:4111', 'localhost-4111'],
    ['http://127.0.0.1:4111/', '127-0-0-1-4111'],
    ['https://agents.example.com', 'agents-example-com-443'],
    ['http://localhost:4111/api/mcp', 'localhost-4111-api-mcp'],
    ['http://[::1]:4111', '1-4111'],
  ])('a server at %s gets the name %s', (url, name) => {
    expect(nameOfUrl(new URL(url), new Set())).toBe(name);
    expect(nameProblem(name)).toBeUndefined();
  });

  it('gives a name that is taken, or too long, the hash of its own URL', () => {
    const taken = nameOfUrl(new URL('http://localhost:4111/?a=1'), new Set(['localhost-4111']));
    expect(taken).toMatch(/^localhost-4111-[0-9a-f]{8}$/);
    const long = nameOfUrl(new URL(`http://${'a'.repeat(60)}.example:4111`), new Set());
    expect(long).toHaveLength(64);
    expect(nameProblem(long)).toBeUndefined();
  });
});
