import { afterEach, describe, expect, it } from 'vitest';
import { fakeCall } from '../../adapters/testing/call.ts';
import { type MemoryServer, type Rig, type RigOptions, rig } from './testing/rig.ts';
import { errorOf, everything, mastra, namesOf } from './testing/servers.ts';

const rigs: Rig[] = [];
const setUp = async (options?: RigOptions): Promise<Rig> => {
  const made = await rig(options);
  rigs.push(made);
  return made;
};
afterEach(async () => {
  for (const each of rigs.splice(0)) await each.close();
});

describe('connectServer', () => {
  it('detects the kind, joins the server at once and returns what it offers', async () => {
    const at = await setUp({ servers: [mastra()] });
    const changed: string[] = [];
    at.federation.all.onListChanged((kind) => changed.push(kind));
    // The view gets changes of lists that a client has seen.
    at.federation.all.page('tools', 'legacy', undefined);
    const result = await at.call('connectServer', { url: 'https://mastra.example', name: 'm' });
    expect(result.structuredContent).toEqual({
      name: 'm',
      status: 'connected',
      state: 'ready',
      kind: 'mastra',
      transport: 'http',
      era: 'legacy',
      protocolVersion: '2.0.0',
      counts: { tools: 1, prompts: 0, resources: 0, templates: 0, agents: 1 },
      tools: ['m__weather'],
      agents: ['m/writer'],
      survivesRestart: true,
    });
    expect(result.text.split('\n')).toEqual([
      "Connected 'm' (mastra, 2.0.0, http): 1 tool, 1 agent.",
      'Tools: m__weather',
      'Agents: m/writer',
    ]);
    await expect.poll(() => changed).toContain('tools');
    expect((await at.call('listAgents')).structuredContent).toMatchObject({ agents: [{ agent: 'm/writer' }] });
    expect((await at.call('listServers')).structuredContent).toMatchObject({
      servers: [{ name: 'm', origin: 'runtime' }],
    });
  });

  it('names the first ten of many', async () => {
    const at = await setUp({ servers: [everything()] });
    const result = await at.call('connectServer', { url: 'https://mcp.example/mcp', name: 'e', kind: 'mcp' });
    expect(result.structuredContent?.tools).toHaveLength(10);
    expect(result.structuredContent).toMatchObject({ era: 'modern', counts: { tools: 12 } });
    expect(result.text).toContain('and 2 more');
  });

  it('makes a stable name from the URL when none is given, and another one where that is taken', async () => {
    const first = await setUp({ servers: [everything()] });
    const { name } = (await first.call('connectServer', { url: 'https://mcp.example/mcp' })).structuredContent ?? {};
    expect(name).toMatch(/^mcp-example/);
    await first.call('disconnectServer', { name: name as string });
    expect((await first.call('connectServer', { url: 'https://mcp.example/mcp' })).structuredContent?.name).toBe(name);
    const second = await setUp({
      servers: [everything()],
      configured: { [name as string]: { kind: 'mcp', url: 'https://other.example/mcp' } },
    });
    const other = (await second.call('connectServer', { url: 'https://mcp.example/mcp' })).structuredContent?.name;
    expect(other).not.toBe(name);
    expect(other).toMatch(/^mcp-example/);
  });

  it('sends the headers to the server and shows them to no caller', async () => {
    const at = await setUp({ servers: [everything()] });
    const result = await at.call('connectServer', {
      url: 'https://mcp.example/mcp',
      headers: { Authorization: 'Bearer secret-of-the-server' },
    });
    expect(at.connects[0]?.target).toMatchObject({ headers: { authorization: 'Bearer secret-of-the-server' } });
    for (const shown of [result, await at.call('listServers'), at.log.lines]) {
      expect(JSON.stringify(shown)).not.toContain('secret-of-the-server');
    }
  });

  it('gives the adapter a network guard', async () => {
    const at = await setUp({ servers: [everything()] });
    await at.call('connectServer', { url: 'https://mcp.example/mcp' });
    const guard = at.connects[0]?.guard;
    await expect(guard?.check(new URL('http://169.254.169.254/'))).rejects.toMatchObject({ code: 'SWB_URL_REFUSED' });
  });

  it('is idempotent: the same server is not connected twice', async () => {
    const at = await setUp({ servers: [everything()], configured: { m: mastra() } });
    await at.call('connectServer', { url: 'https://mcp.example/mcp', name: 'e' });
    for (const args of [
      { url: 'https://mcp.example/mcp', name: 'e' },
      { url: 'https://MCP.example:443/mcp#top' },
      { url: 'https://mastra.example', name: 'm' },
      { url: 'https://mastra.example' },
    ]) {
      const again = await at.call('connectServer', args);
      expect(again.structuredContent, JSON.stringify(args)).toMatchObject({
        status: 'already-connected',
        state: 'ready',
      });
    }
    expect(namesOf(at)).toEqual(['m', 'e']);
    expect(at.connects).toHaveLength(2);
  });

  it('refuses a name or a prefix that belongs to another server', async () => {
    const at = await setUp({ servers: [everything()], configured: { m: mastra() } });
    const taken = await at.call('connectServer', { url: 'https://mcp.example/mcp', name: 'm' });
    expect(errorOf(taken)).toMatchObject({ code: 'SWB_INVALID_PARAMS' });
    const prefix = await at.call('connectServer', { url: 'https://mcp.example/mcp', name: 'x', namespace: 'm' });
    expect(errorOf(prefix)).toMatchObject({ code: 'SWB_INVALID_PARAMS' });
    for (const name of ['switchboard', 'a__b', '../x', 'a b', '-a', '__proto__']) {
      expect((await at.call('connectServer', { url: 'https://mcp.example/mcp', name })).isError, name).toBe(true);
    }
    expect(namesOf(at)).toEqual(['m']);
  });

  it('takes another prefix, or none', async () => {
    const at = await setUp({ servers: [everything(), mastra()] });
    const own = await at.call('connectServer', { url: 'https://mastra.example', name: 'm', namespace: 'other' });
    expect(own.structuredContent).toMatchObject({ tools: ['other__weather'] });
    const bare = await at.call('connectServer', { url: 'https://mcp.example/mcp', name: 'e', namespace: false });
    expect(bare.structuredContent?.tools).toContain('tool0');
  });

  it.each([
    'http://127.0.0.1:4111',
    'http://localhost:4111',
    'http://[::1]:4111',
    'http://10.0.0.1',
    'http://0x7f.1/',
    'http://2130706433/',
    'http://169.254.169.254/latest/meta-data',
    'http://metadata.google.internal/',
    'http://[::ffff:169.254.169.254]/',
    'http://user:secret@mcp.example/mcp',
    'file:///etc/passwd',
    'ftp://mcp.example',
    'ws://mcp.example',
    'localhost:4111',
    'node server.js',
    'mcp.example/mcp',
  ])('refuses %s, with or without a kind', async (url) => {
    const at = await setUp({ servers: [everything()] });
    for (const kind of [undefined, 'mcp']) {
      const result = await at.call('connectServer', kind === undefined ? { url } : { url, kind });
      expect(errorOf(result)).toMatchObject({ code: 'SWB_URL_REFUSED' });
    }
    expect(at.connects).toEqual([]);
    expect(namesOf(at)).toEqual([]);
  });

  it('connects to private addresses the operator allows', async () => {
    const at = await setUp({
      servers: [{ kind: 'langgraph', url: 'http://127.0.0.1:2024/', agents: [{ key: 'echo' }] }],
      connect: { allowPrivate: ['localhost:2024'] },
    });
    const result = await at.call('connectServer', { url: 'http://127.0.0.1:2024', name: 'local' });
    expect(result.structuredContent).toMatchObject({ kind: 'langgraph', agents: ['local/echo'] });
    expect(errorOf(await at.call('connectServer', { url: 'http://127.0.0.1:2025' }))).toMatchObject({
      code: 'SWB_URL_REFUSED',
    });
  });

  it('never takes a command', async () => {
    const at = await setUp();
    const result = await at.call('connectServer', { command: 'sh', args: ['-c', 'true'], url: 'https://mcp.example' });
    expect(result.text).toContain('command: found an unknown argument');
    expect(at.connects).toEqual([]);
  });

  it('does nothing when the operator has switched it off', async () => {
    const at = await setUp({ servers: [everything()], connect: { enabled: false } });
    const result = await at.call('connectServer', { url: 'https://mcp.example/mcp' });
    expect(errorOf(result)).toMatchObject({ code: 'SWB_NOT_SUPPORTED' });
    expect(result.text).toContain('gateway.connect.enabled');
    expect(at.connects).toEqual([]);
  });

  it('keeps to the operator’s bound, concurrent calls included', async () => {
    const servers = Array.from(
      { length: 5 },
      (_, i): MemoryServer => ({ kind: 'mcp', url: `https://s${i}.example/mcp` }),
    );
    const at = await setUp({ servers, connect: { maxServers: 2 }, configured: { m: mastra() } });
    const results = await Promise.all(servers.map(({ url }) => at.call('connectServer', { url })));
    expect(results.filter((result) => !result.isError)).toHaveLength(2);
    const [refused] = results.filter((result) => result.isError);
    expect(refused && errorOf(refused)).toMatchObject({ code: 'SWB_CONNECT_FAILED', limit: 2 });
    const [name] = namesOf(at).slice(1);
    await at.call('disconnectServer', { name: name as string });
    expect((await at.call('connectServer', { url: 'https://s4.example/mcp' })).isError).toBeUndefined();
  });

  it('does not add a server that no adapter knows, or that cannot be reached', async () => {
    const at = await setUp({ servers: [{ ...everything(), away: true }] });
    const unknown = await at.call('connectServer', { url: 'https://website.example' });
    expect(errorOf(unknown)).toMatchObject({ code: 'SWB_CONNECT_FAILED' });
    expect(unknown.text).toMatch(/^No MCP, Mastra, LangGraph, .* server answers/m);
    const away = await at.call('connectServer', { url: 'https://mcp.example/mcp' });
    expect(errorOf(away)).toMatchObject({ code: 'SWB_CONNECT_FAILED' });
    expect(away.text).toMatch(/was not added: .*refused\.$/);
    expect(namesOf(at)).toEqual([]);
    expect(await at.runtimeServers.list()).toEqual([]);
  });

  it('answers a second call for the same server with a retry time, and later with the connected server', async () => {
    const gate = Promise.withResolvers<void>();
    const at = await setUp({ servers: [{ ...everything(), gate: gate.promise }] });
    const args = { url: 'https://mcp.example/mcp', name: 'e' };
    const first = at.call('connectServer', args);
    await expect.poll(() => at.connects.length).toBe(1);
    for (const same of [args, { url: args.url }]) {
      expect(errorOf(await at.call('connectServer', same))).toMatchObject({
        code: 'SWB_CONNECT_FAILED',
        retryAfterMs: 1_000,
      });
    }
    expect(errorOf(await at.call('disconnectServer', { name: 'e' }))).toMatchObject({ code: 'SWB_CONNECT_FAILED' });
    gate.resolve();
    expect((await first).structuredContent).toMatchObject({ status: 'connected' });
    expect((await at.call('connectServer', args)).structuredContent).toMatchObject({ status: 'already-connected' });
  });

  it('removes the server when the caller is gone before it is ready', async () => {
    const at = await setUp({ servers: [{ ...everything(), gate: new Promise(() => {}) }] });
    const call = fakeCall();
    const reply = at.federation
      .member('switchboard')
      ?.require()
      .request('tools/call', { name: 'connectServer', arguments: { url: 'https://mcp.example/mcp' } }, call);
    await expect.poll(() => at.connects.length).toBe(1);
    expect(namesOf(at)).toHaveLength(1);
    call.abort();
    await expect(reply).rejects.toMatchObject({ code: 'SWB_CANCELLED' });
    expect(namesOf(at)).toEqual([]);
    expect(await at.runtimeServers.list()).toEqual([]);
  });
});
