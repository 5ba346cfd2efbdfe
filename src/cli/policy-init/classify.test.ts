import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cpuClock } from '../../core/testing/cpu.ts';
import { classifyTool, wordsOf } from './classify.ts';
import { CATEGORIES, VERBS } from './words.ts';

const annotated = (annotations: object) => ({ annotations });
const described = (description: string) => ({ description });
const taking = (...names: string[]) => ({
  inputSchema: { type: 'object', properties: Object.fromEntries(names.map((name) => [name, { type: 'string' }])) },
});

describe('the name', () => {
  it.each([
    // As the published pages have them.
    ['mqttConnect', 'Execute'],
    ['mqttDisconnect', 'Other'],
    ['create_connection', 'Write'],
    ['connectServer', 'Write'],
    ['getWeather', 'Read'],
    ['HTTPGet', 'Read'],
    ['list-open-files', 'Read'],
    ['github.search_code', 'Read'],
    ['get_order', 'Read'],
    ['list_charges', 'Read'],
    ['write_file', 'Write'],
    ['sendMessage', 'Write'],
    ['transfer_call', 'Write'],
    ['run_query', 'Execute'],
    ['shell', 'Execute'],
    ['callAgent', 'Execute'],
    ['pay', 'Financial'],
    ['create_charge', 'Financial'],
    ['transferFunds', 'Financial'],
    ['place_order', 'Financial'],
    ['delete_file', 'Destructive'],
    ['bulkDelete', 'Destructive'],
    ['search_and_delete', 'Destructive'],
    ['drop_table', 'Destructive'],
    ['frobnicate', 'Other'],
    ['', 'Other'],
    ['löschen', 'Other'],
  ])('%s is %s', (name, category) => {
    expect(classifyTool(name)).toMatchObject({ category });
  });

  it('is taken apart at everything that is no letter, and at capitals', () => {
    expect(wordsOf('getHTTPPage_v2-of.X')).toEqual(['get', 'http', 'page', 'v', 'of', 'x']);
    expect(wordsOf('ÄndereName')).toEqual(['ändere', 'name']);
  });

  it('has no verb in two categories', () => {
    const all = CATEGORIES.flatMap((category) => [...VERBS[category]]);
    expect(all.filter((word, at) => all.indexOf(word) !== at)).toEqual([]);
  });
});

describe('the definition of a tool', () => {
  it('never lowers the category of the name', () => {
    const harmless = { ...described('Reads a value. Never changes anything.'), ...annotated({ readOnlyHint: true }) };
    expect(classifyTool('delete_x', harmless).category).toBe('Destructive');
    expect(classifyTool('delete_x', annotated({ destructiveHint: false, readOnlyHint: true })).category).toBe(
      'Destructive',
    );
    expect(classifyTool('pay', harmless).category).toBe('Financial');
    expect(classifyTool('exec', harmless).category).toBe('Execute');
  });

  it('permits nothing when the name has no verb', () => {
    expect(classifyTool('frobnicate', annotated({ readOnlyHint: true })).category).toBe('Other');
  });

  it.each([
    ['get_x', annotated({ destructiveHint: true }), 'Destructive', 'destructiveHint'],
    ['get_x', annotated({ readOnlyHint: false }), 'Write', 'not read-only'],
    ['get_x', annotated({ openWorldHint: true }), 'Other', 'openWorldHint'],
    ['run_x', annotated({ openWorldHint: true, readOnlyHint: false }), 'Execute', '"run"'],
    ['file', described('Deletes a file.'), 'Destructive', 'begins with "delete"'],
    ['file', described('Fetches a file.'), 'Other', 'no known verb'],
    ['file', described('Creates a file.'), 'Write', 'begins with "create"'],
    ['get_x', described('Removes the thing and returns it.'), 'Destructive', 'begins with "remove"'],
    ['update_x', described('Updates it. This cannot be undone.'), 'Destructive', 'cannot be undone'],
    ['read_query', described('Execute a SELECT query, or any SQL.'), 'Read', '"read"'],
    ['read_query', described('Runs arbitrary SQL.'), 'Execute', 'runs arbitrary sql'],
    ['get_x', taking('path', 'command'), 'Execute', 'parameter "command"'],
    ['create_payment_link', taking('amount', 'currency'), 'Financial', '"payment"'],
    ['create_link', taking('amount', 'currency'), 'Financial', 'an amount'],
    ['convert_price', taking('amount', 'currency'), 'Read', '"convert"'],
  ])('raises %s %j to %s', (name, definition, category, why) => {
    const found = classifyTool(name, definition);
    expect(found.category).toBe(category);
    expect(found.why).toContain(why);
  });

  it('never lowers a category', () => {
    const word = fc.constantFrom('get', 'write', 'run', 'pay', 'delete', 'file', 'connect', 'x');
    const definition = fc.record(
      {
        description: fc.array(word).map((said) => said.join(' ')),
        annotations: fc.dictionary(fc.constantFrom('readOnlyHint', 'destructiveHint', 'openWorldHint'), fc.boolean()),
        inputSchema: fc.oneof(fc.anything(), fc.constant(taking('command', 'amount', 'currency').inputSchema)),
      },
      { requiredKeys: [] },
    );
    const rank = (name: string, of = {}): number => CATEGORIES.indexOf(classifyTool(name, of).category);
    fc.assert(
      fc.property(
        fc.array(word).map((parts) => parts.join('_')),
        definition,
        (name, of) => {
          expect(rank(name, of)).toBeGreaterThanOrEqual(rank(name));
        },
      ),
    );
  });

  it('is searched inside nested parameters: a watcher that runs a shell', () => {
    const inputSchema = {
      type: 'object',
      properties: {
        action: { anyOf: [{ type: 'string' }, { type: 'object', properties: { shell: { type: 'string' } } }] },
      },
    };
    expect(classifyTool('create_watcher', { inputSchema }).category).toBe('Execute');
  });

  it.each([
    { annotations: 'x', inputSchema: null, description: 5 },
    { annotations: { destructiveHint: 'true' }, inputSchema: { properties: [] } },
    { inputSchema: { properties: { a: true }, items: [null, 5], anyOf: 'x' } },
  ])('is ignored where it is malformed: %j', (definition) => {
    expect(classifyTool('get_x', definition).category).toBe('Read');
  });

  it('is read in bounded time', () => {
    let deep: object = { properties: { command: {} } };
    for (let i = 0; i < 10_000; i++) deep = { properties: { a: deep } };
    const wide = { properties: Object.fromEntries(Array.from({ length: 200_000 }, (_, i) => [`p${i}`, {}])) };
    const cpu = cpuClock();
    classifyTool('get_x', { inputSchema: deep, description: `${'execute '.repeat(200_000)}` });
    classifyTool('get_x', { inputSchema: wide, description: 'a '.repeat(1_000_000) });
    classifyTool('aB'.repeat(1_000_000));
    expect(cpu()).toBeLessThan(1_000);
  });
});
