import { describe, expect, it } from 'vitest';
import { CATALOG_KINDS } from '../../core/upstream.ts';
import { entry, FakeServer, serverConfig } from '../testing/fakes.ts';
import { harness, toolNames, until } from '../testing/harness.ts';

const { create, start, log } = harness();

describe('lists', () => {
  it('arrive kind by kind: one that hangs holds up no other', async () => {
    const one = new FakeServer('a');
    one.capabilities = { tools: {}, prompts: {} };
    one.listing.prompts = 'hang';
    const federation = create({ one });
    void federation.add(serverConfig('one', { connectTimeoutMs: 60_000 }));
    await until(() => expect(toolNames(federation)).toEqual(['one__a']));
    expect(federation.member('one')?.require()).toBeDefined();
    // Only the one that is still to come: what the server does not declare is no list, and what has arrived is known.
    const unlisted = CATALOG_KINDS.filter((kind) => federation.member('one')?.isUnlisted?.(kind));
    expect(unlisted).toEqual(['prompts']);
  });

  it('keep the last good one when fetching fails, and are tried again', async () => {
    const one = new FakeServer('a');
    one.capabilities = { tools: { listChanged: true }, prompts: {} };
    const federation = await start({ one });
    one.listing.tools = 'fail';
    one.setTools('b');
    one.changed('tools');
    await until(() => expect(federation.member('one')?.state).toBe('degraded'));
    expect(federation.member('one')?.status()).toMatchObject({
      stale: false,
      error: 'its tools could not be listed: it is broken',
    });
    expect(toolNames(federation)).toEqual(['one__a']);
    expect(federation.member('one')?.require()).toBeDefined();
    one.listing.tools = 'ok';
    await until(() => expect(toolNames(federation)).toEqual(['one__b']));
    expect(federation.member('one')?.state).toBe('ready');
  });

  it('follow the changes a server notifies of, however many, with few fetches', async () => {
    const one = new FakeServer('a');
    const federation = await start({ one });
    for (const name of ['b', 'c']) {
      one.setTools(name);
      for (let i = 0; i < 500; i++) one.changed('tools');
      await until(() => expect(toolNames(federation)).toEqual([`one__${name}`]));
    }
    expect(one.lists.tools).toBeLessThanOrEqual(6);
  });

  it('of templates are fetched when the list of resources changes', async () => {
    const one = new FakeServer();
    one.capabilities = { resources: { listChanged: true } };
    const federation = await start({ one });
    one.catalogs.templates = { entries: [entry('templates', 'x://{id}')] };
    one.changed('resources');
    await until(() => expect(federation.all.routes('templates')).toHaveLength(1));
  });

  it('are served at once and refetched in the background when they are older than their ttl', async () => {
    const one = new FakeServer('a');
    one.capabilities = { tools: {} };
    one.catalogs.tools = { entries: [], ttlMs: 0, cacheScope: 'private' };
    const federation = await start({ one }, {}, { timing: { refreshFloorMs: 20 } });
    one.setTools('b');
    expect(toolNames(federation)).toEqual([]);
    await until(() => expect(toolNames(federation)).toEqual(['one__b']));
    const fetched = one.lists.tools;
    for (let i = 0; i < 100; i++) federation.all.page('tools', 'modern', undefined);
    expect(one.lists.tools - fetched).toBeLessThanOrEqual(1);
  });

  it('show no tool that the configuration hides, in any view', async () => {
    const federation = await start(
      { one: new FakeServer('get', 'get_all', 'drop') },
      { one: { tools: { include: ['get*'], exclude: ['*_all'] } } },
    );
    expect(toolNames(federation)).toEqual(['one__get']);
    expect(federation.all.resolve('tools', 'one__drop')).toBeUndefined();
    expect(federation.view('one')?.resolve('tools', 'drop')).toBeUndefined();
    expect(federation.view('one')?.resolve('tools', 'get')?.original).toBe('get');
  });

  it('name nothing twice', async () => {
    const federation = await start({ one: new FakeServer('a', 'b', 'a') });
    expect(toolNames(federation)).toEqual(['one__a', 'one__b']);
    expect(log().some(({ fields }) => 'repeated' in fields)).toBe(true);
  });
});
