import { describe, expect, it } from 'vitest';
import type { Catalog, Entry } from '../../core/upstream.ts';
import type { JsonObject } from '../../wire/jsonrpc.ts';
import { AgentToolsOf } from './agent-tools.ts';

const named = (name: string, rest: JsonObject = {}): Entry => ({ key: name, value: { name, ...rest } });
const catalog = (...names: (string | Entry)[]): Catalog => ({
  entries: names.map((each) => (typeof each === 'string' ? named(each) : each)),
});
const namesIn = (entries: readonly Entry[]): string[] => entries.map(({ key }) => key);

describe('the tools of agents', () => {
  it('have the names of the agents, and another one where a tool or an agent has it', () => {
    const tools = new AgentToolsOf('s', undefined);
    const agents = catalog('weather', 'weather_agent', 'plain', 'my agent', 'line\nbreak', '..', 'x'.repeat(300));
    const names = namesIn(tools.get(agents, catalog('weather'), true).shown);
    expect(names.slice(0, 3)).toEqual([expect.stringMatching(/^weather_agent_.*_\w{8}$/), 'weather_agent', 'plain']);
    expect(new Set([...names, 'weather']).size).toBe(8);
    for (const name of names) expect(name).toMatch(/^[A-Za-z0-9_-]{1,64}$/);
    // The same names after the lists were fetched anew.
    expect(namesIn(tools.get({ ...agents }, catalog('weather'), true).shown)).toEqual(names);
  });

  it('are not shown before the tools of the server are known, and stand for their agents all the same', () => {
    const tools = new AgentToolsOf('s', undefined);
    const agents = catalog('weather');
    const before = tools.get(agents, catalog(), false);
    expect([before.shown, before.areCertain]).toEqual([[], false]);
    expect(before.byAgent.get('weather')?.key).toBe('weather');
    expect(namesIn(tools.get(agents, catalog('weather'), true).shown)).toEqual(['weather_agent']);
  });

  it.each([
    [undefined, ['a', 'b', 'c']],
    [false as const, []],
    [{ include: ['a', 'b'], exclude: ['b'] }, ['a']],
    [{ include: [], exclude: ['?'] }, []],
  ])('are those that %j lets through', (filter, shown) => {
    const made = new AgentToolsOf('s', filter).get(catalog('a', 'b', 'c'), catalog(), true);
    expect(namesIn(made.shown)).toEqual(shown);
    expect([...made.byAgent.keys()]).toEqual(['a', 'b', 'c']);
  });

  it('take what the agent takes: a message, or data by its schema', () => {
    const inputSchema = {
      type: 'object',
      properties: { of: { $ref: '#/$defs/of' } },
      $defs: { of: { type: 'string' } },
    };
    const agents = catalog(
      'talks',
      named('works', { inputSchema, takesMessages: false }),
      named('both', { inputSchema }),
    );
    const { shown } = new AgentToolsOf('s', undefined).get(agents, catalog(), true);
    const schemas = shown.map(({ value }) => value.inputSchema as { properties: JsonObject; required?: string[] });
    expect(schemas.map(({ properties }) => Object.keys(properties))).toEqual([
      ['message', 'threadId', 'resourceId', 'options'],
      ['input', 'threadId', 'resourceId', 'options'],
      ['message', 'input', 'threadId', 'resourceId', 'options'],
    ]);
    expect(schemas.map(({ required }) => required)).toEqual([['message'], ['input'], undefined]);
    expect(schemas[1]?.properties.input).toMatchObject({
      properties: { of: { $ref: '#/properties/input/$defs/of' } },
    });
    expect(shown[0]?.value).toMatchObject({ name: 'talks', _meta: { 'switchboard/agent': 's/talks' } });
  });

  it('leave out a schema that every list would be long for', () => {
    const inputSchema = { type: 'object', description: 'x'.repeat(20_000) };
    const { shown } = new AgentToolsOf('s', undefined).get(catalog(named('a', { inputSchema })), catalog(), true);
    expect(JSON.stringify(shown[0]?.value).length).toBeLessThan(4_000);
  });

  it('keep their entries until something of them changes', () => {
    const tools = new AgentToolsOf('s', undefined);
    const agents = catalog('a', 'b');
    const [first] = tools.get(agents, catalog(), true).shown;
    const [a, b] = agents.entries as [Entry, Entry];
    const [same, changed] = tools.get({ entries: [a, { ...b }] }, catalog(), true).shown;
    expect(same).toBe(first);
    expect(changed?.agent).not.toBe(b);
  });
});
