import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { JsonObject } from '../wire/jsonrpc.ts';
import { exposeTask, splitTask, uriLabel } from './names/uris.ts';
import { FakeServer } from './testing/fakes.ts';
import { harness } from './testing/harness.ts';
import type { Member } from './types.ts';

const { start } = harness();

const EXTENSION = 'io.modelcontextprotocol/tasks';
const CALLS = { requests: { tools: { call: {} } } };

const server = (era: 'legacy' | 'modern', capabilities: JsonObject): FakeServer => {
  const fake = new FakeServer('a');
  fake.era = era;
  fake.capabilities = { tools: {}, ...capabilities };
  return fake;
};

describe('ids of tasks in the merged view', () => {
  it('name their server and lead back to it, whatever the server calls its tasks', async () => {
    const federation = await start({ one: new FakeServer(), 'a b': new FakeServer() });
    fc.assert(
      fc.property(fc.constantFrom('one', 'a b'), fc.string(), (name, taskId) => {
        const owner = federation.member(name) as Member;
        const exposed = federation.all.exposeTask(owner, taskId);
        expect(exposed).not.toBe(taskId);
        const found = federation.all.resolveTask(exposed);
        expect(found?.member).toBe(owner);
        expect(found?.original).toBe(taskId);
      }),
    );
  });

  it('that name no server of the federation do not resolve', async () => {
    const { all } = await start({ one: new FakeServer() });
    for (const id of ['', '+', '+x', 'x', 'one', 'One+x', 'two+x', 'ui://one+x']) {
      expect(all.resolveTask(id), id).toBeUndefined();
    }
  });

  it('are the server’s own in its own view', async () => {
    const federation = await start({ one: new FakeServer() });
    const view = federation.view('one');
    const member = federation.member('one') as Member;
    expect(view?.resolveTask('one+x')?.member).toBe(member);
    expect(view?.resolveTask('one+x')?.original).toBe('one+x');
    expect(view?.exposeTask(member, 'x')).toBe('x');
  });

  it('are taken apart as they were put together', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1 }), fc.string(), (name, id) => {
        const label = uriLabel(name);
        expect(splitTask(exposeTask(label, id))).toEqual({ label, original: id });
      }),
    );
  });
});

describe('the tasks a view offers', () => {
  it('have the form of the client’s era, in the merged view what any server can do', async () => {
    const { all } = await start({
      one: server('legacy', { tasks: { list: {}, ...CALLS } }),
      two: server('legacy', { tasks: { cancel: {} } }),
      three: server('modern', { extensions: { [EXTENSION]: {}, 'x/y': { on: 1 } } }),
    });
    const legacy = all.capabilities('legacy');
    expect(legacy.tasks).toEqual({ list: {}, cancel: {}, ...CALLS });
    expect(legacy.extensions).toEqual({ 'x/y': { on: 1 } });
    const modern = all.capabilities('modern');
    expect(modern).not.toHaveProperty('tasks');
    expect(modern.extensions).toEqual({ [EXTENSION]: {}, 'x/y': { on: 1 } });
  });

  it('are not declared where no server has any', async () => {
    const { all } = await start({ one: server('legacy', {}), two: server('modern', {}) });
    expect(all.capabilities('legacy')).not.toHaveProperty('tasks');
    expect(all.capabilities('modern')).not.toHaveProperty('extensions');
  });

  it('of a legacy server are declared as the extension to modern clients of its own view', async () => {
    const federation = await start({
      calls: server('legacy', { tasks: { list: {}, ...CALLS } }),
      other: server('legacy', { tasks: { list: {} } }),
    });
    const calls = federation.view('calls');
    expect(calls?.capabilities('legacy')).toEqual({ tools: { listChanged: true }, tasks: { list: {}, ...CALLS } });
    expect(calls?.capabilities('modern')).toEqual({ tools: { listChanged: true }, extensions: { [EXTENSION]: {} } });
    expect(federation.view('other')?.capabilities('modern')).toEqual({ tools: { listChanged: true } });
  });

  it('of a modern server are not declared to legacy clients of its own view, whose calls wait for them', async () => {
    const federation = await start({
      one: server('modern', { extensions: { [EXTENSION]: {} } }),
      two: server('modern', { extensions: { [EXTENSION]: {}, 'x/y': {} } }),
    });
    expect(federation.view('one')?.capabilities('modern')).toEqual({
      tools: { listChanged: true },
      extensions: { [EXTENSION]: {} },
    });
    expect(federation.view('one')?.capabilities('legacy')).toEqual({ tools: { listChanged: true } });
    expect(federation.view('two')?.capabilities('legacy')).toEqual({
      tools: { listChanged: true },
      extensions: { 'x/y': {} },
    });
  });
});
