// biome-ignore-all lint/suspicious/noTemplateCurlyInString: references in files look like template strings.
import { afterEach, describe, expect, it } from 'vitest';
import { ADAPTERS } from '../../adapters/index.ts';
import { removeTemporaryFolders } from './testing/files.ts';
import { load, mistakes, serverMistakes } from './testing/load.ts';

afterEach(removeTemporaryFolders);

const listed = (all: readonly string[]): string => `${all.slice(0, -1).join(', ')} or ${all.at(-1)}`;

describe('loadConfig: mistakes', () => {
  it('names file, line, path, what was found, what is allowed and the nearest key', async () => {
    const lines = await mistakes(
      '{\n  "mcpServers": {\n    "a": { "url": "http://h", "concurency": 4, "maxQueue": "many" }\n  }\n}',
    );
    expect(lines).toHaveLength(2);
    expect(lines[0]).toMatch(
      /^servers\.json:3:31 mcpServers\.a\.concurency: found an unknown key; did you mean "concurrency"\? allowed: command, /,
    );
    expect(lines[1]).toBe(
      'servers.json:3:48 mcpServers.a.maxQueue: found "many"; allowed: a whole number from 0 to 100000.',
    );
  });

  it('reports all mistakes at once, one line each, in the order of the file', async () => {
    const lines = await mistakes({
      gateway: { port: 'x', limits: { maxBodybytes: 1 } },
      mcpServers: { all: { url: 'http://h' }, a: {}, b: { url: 'ftp://h' } },
      sevrers: {},
    });
    expect(lines.map((line) => /^servers\.json:\d+:\d+ ([^:]+):/.exec(line)?.[1])).toEqual([
      'gateway.port',
      'gateway.limits.maxBodybytes',
      'mcpServers.all',
      'mcpServers.a',
      'mcpServers.b.url',
      'sevrers',
    ]);
  });

  it.each([
    [{}, 's: found neither a command nor a url; allowed: one of them.'],
    [{ command: 'x', url: 'http://h' }, 's: found a command and a url; allowed: one of them.'],
    [{ url: 'http://h', serverUrl: 'http://i' }, 's.serverUrl: found besides url, which says something else.'],
    [{ url: 'localhost:4111' }, 's.url: found an address without its scheme; write http:// or https:// before it.'],
    [{ url: 'h/mcp' }, 's.url: found an address without its scheme; write http:// or https:// before it.'],
    [{ url: '/mcp' }, 's.url: found a string that is no URL; allowed: an http or https URL.'],
    [
      { url: 'wss://h' },
      's.url: found a WebSocket URL; MCP has no such transport; allowed: an http or https URL, or "type": "mqtt" for a broker.',
    ],
    [{ url: 'http://u:p@h' }, 's.url: found credentials in the URL; send them with headers (Authorization) instead.'],
    [{ url: 5 }, 's.url: found a number; allowed: a string that is not empty.'],
    [{ url: 'http://h', type: 'stdio' }, 's.type: found "stdio"; allowed for a url: http, streamable-http or sse.'],
    [{ command: 'x', type: 'sse' }, 's.type: found "sse"; allowed for a command: stdio.'],
    [
      { command: 'npx -y thing' },
      's.command: found a whole command line; write its first word here and the rest in args.',
    ],
    [{ command: 'x', kind: 'mastra' }, 's.kind: found "mastra" for a command; mastra servers are reached by url.'],
    [
      { url: 'http://h', kind: 'mastr' },
      `s.kind: found "mastr"; did you mean "mastra"? allowed: ${listed(ADAPTERS.map(({ kind }) => `"${kind}"`))}.`,
    ],
    [{ url: 'http://h', timeoutMs: 1.5 }, 's.timeoutMs: found 1.5; allowed: a whole number from 1 to 86400000.'],
    [
      { url: 'http://h', timeoutMs: 9, maxTimeoutMs: 5 },
      's.maxTimeoutMs: found 5; allowed: at least timeoutMs, which is 9.',
    ],
    [{ url: 'http://h', disabled: 'yes' }, 's.disabled: found "yes"; allowed: true or false.'],
    [
      { url: 'http://h', namespace: true },
      's.namespace: found true; allowed: a string of 1 to 64 characters or false.',
    ],
    [
      { url: 'http://h', tools: { inclde: [] } },
      's.tools.inclde: found an unknown key; did you mean "include"? allowed: include, exclude.',
    ],
    [
      { url: 'http://h', tools: { include: [] } },
      's.tools.include: found an empty list; allowed: a list of strings that is not empty.',
    ],
    [{ url: 'http://h', headers: { Host: 'x' } }, 's.headers.Host: the gateway sets this header itself; leave it out.'],
    [
      { url: 'http://h', headers: { 'a b': 'x' } },
      's.headers["a b"]: not a header name; allowed: letters, digits and "-".',
    ],
    [{ url: 'http://h', headers: { a: 'x', A: 'y' } }, 's.headers.A: found the same header twice.'],
    [{ command: 'x', args: '-y' }, 's.args: found a string; allowed: a list of strings.'],
    [{ command: 'x', env: { A: true } }, 's.env.A: found a boolean; allowed: a string, a number or null.'],
    [{ command: 'x', envFile: 'none.env' }, 's.envFile: the file cannot be read (ENOENT).'],
  ])('reports for the entry %j: %s', async (entry, line) => {
    expect(await serverMistakes(entry)).toEqual([`mcpServers.${line}`]);
  });

  it.each([
    [
      { host: 'http://h', allowUnauthenticated: true },
      /gateway\.host: found no host; allowed: an IP address or a host name/,
    ],
    [{ port: 70_000 }, /gateway\.port: found 70000; allowed: a whole number from 0 to 65535/],
    [{ token: 'short' }, /gateway\.token: found a string that is too short; allowed: 16 to 4096 letters/],
    [{ token: `${'x'.repeat(20)} y` }, /gateway\.token: found a string with other characters; allowed/],
    [{ token: '' }, /gateway\.token: found an empty string; allowed/],
    [{ allowedHosts: ['http://h'] }, /gateway\.allowedHosts\[0\]: found "http:\/\/h"; allowed: a host or host:port/],
    [{ keyHeaders: ['Authorization'] }, /gateway\.keyHeaders\[0\]: found "Authorization"; allowed: a header for keys/],
    [{ keyHeaders: ['x-api-key', 'x y'] }, /gateway\.keyHeaders\[1\]: found "x y"; allowed/],
    [{ allowedOrigins: ['app.example'] }, /gateway\.allowedOrigins\[0\]: found "app\.example"; allowed: an origin/],
    [
      { agents: { pushNotifications: { origins: ['https://hooks.example', 'http://hooks.example'] } } },
      /gateway\.agents\.pushNotifications\.origins\[1\]: found "http:\/\/hooks\.example"; allowed: an origin/,
    ],
    [
      { agents: { pushNotifications: { origins: ['https://me:secret@hooks.example/in'] } } },
      /gateway\.agents\.pushNotifications\.origins\[0\]: found no origin; allowed: an origin/,
    ],
    [{ connect: { allowPrivate: ['*', 'h:99999'] } }, /gateway\.connect\.allowPrivate\[1\]: found "h:99999"/],
    [
      { mqtt: { url: 'http://h', clients: { a: 'local' } } },
      /gateway\.mqtt\.url: found no URL of an MQTT broker; allowed/,
    ],
    [{ mqtt: { url: 'mqtt://h' } }, /gateway\.mqtt: found neither clients nor an export; allowed/],
    [
      { mqtt: { url: 'mqtt://h', clients: { a: 'local' }, serverName: 'a/#' } },
      /gateway\.mqtt\.serverName: found a text that holds one of the characters \+ and #/,
    ],
    [
      { mqtt: { url: 'mqtt://h', clients: { a: 'local' }, serverId: 'a/b' } },
      /gateway\.mqtt\.serverId: found a text that holds one of the characters/,
    ],
    [
      { mqtt: { url: 'mqtt://h', export: { grant: 'local', topicNamespace: '$x' } } },
      /gateway\.mqtt\.export\.topicNamespace: found a text that begins with \$/,
    ],
    [{ logLevel: 'verbose' }, /gateway\.logLevel: found "verbose"; allowed: "trace", "debug"/],
  ])('reports the mistake in gateway %j', async (gateway, line) => {
    const lines = await mistakes({ gateway });
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatch(line);
  });

  it('warns of a host beyond loopback without a token', async () => {
    expect((await load({ gateway: { host: '0.0.0.0', token: 'x'.repeat(16) } })).warnings).toEqual([]);
    const refused = await load({ gateway: { host: '0.0.0.0' } });
    expect(refused.warnings[0]).toMatch(
      /gateway\.host: 0\.0\.0\.0 lets other machines in.*serve refuses.*--allow-unauth/,
    );
    const loud = await load({ gateway: { host: '0.0.0.0', allowUnauthenticated: true } });
    expect(loud.warnings[0]).toContain('whoever reaches 0.0.0.0 may use every server, without authentication');
    for (const host of ['localhost', '127.0.0.2', '::1', '[::1]']) {
      expect((await load({ gateway: { host } })).warnings).toEqual([]);
    }
  });

  it('names both places of a server that is written twice', async () => {
    const lines = await mistakes('{"mcpServers": {"a": {"url": "http://h"}},\n "servers": {"a": {"url": "http://i"}}}');
    expect(lines).toEqual([
      'servers.json:2:14 servers.a: the server "a" is written twice; the first is mcpServers.a on line 1.',
    ]);
  });

  it('names both of two servers whose keys become one name', async () => {
    const url = 'http://h';
    const line = await mistakes(
      '{"mcpServers": {"Azure MCP": {"url": "http://h"},\n "Azure/MCP": {"url": "http://i"}}}',
    );
    expect(line).toEqual([
      'servers.json:2:2 mcpServers["Azure/MCP"]: the servers "Azure MCP" and "Azure/MCP" would both be called "Azure-MCP"; rename one. ' +
        'The first is mcpServers["Azure MCP"] on line 1.',
    ]);
    const [plain] = await mistakes({ mcpServers: { 'a b': { url } }, servers: { 'a-b': { url } } });
    expect(plain).toContain('the servers "a b" and "a-b" would both be called "a-b"');
  });

  it('refuses two servers whose prefixes can make one name, and names both', async () => {
    const url = 'http://h';
    const [line] = await mistakes({ servers: { a: { url }, a_: { url } } });
    expect(line).toContain(
      'the servers "a" (prefix "a") and "a_" (prefix "a_") can make one name of two tools; set another namespace on one',
    );
    const [other] = await mistakes({ servers: { x: { url, namespace: 'b_' }, y: { url, namespace: 'b' } } });
    expect(other).toContain('the servers "x" (prefix "b_") and "y" (prefix "b") can make one name of two tools');
    expect((await load({ servers: { a: { url }, a_b: { url }, 'a-': { url }, ab: { url } } })).servers).toHaveLength(4);
    expect((await load({ servers: { a: { url }, a_: { url, disabled: true } } })).servers).toHaveLength(2);
  });

  it('refuses two servers under one prefix, but several without any', async () => {
    const url = 'http://h';
    const lines = await mistakes({ servers: { a: { url, namespace: 'b' }, b: { url } } });
    expect(lines[0]).toContain('the servers "a" and "b" both have the prefix "b"; set another namespace on one');
    expect(
      (await load({ servers: { a: { url, namespace: false }, b: { url, namespace: false } } })).servers,
    ).toHaveLength(2);
  });

  it('names the variable that is not set, and its path', async () => {
    expect(await serverMistakes({ url: 'http://h', headers: { authorization: 'Bearer ${NOPE}' } })).toEqual([
      'mcpServers.s.headers.authorization: the environment variable NOPE is not set; set it, or give a default: ${NOPE:-…}.',
    ]);
  });

  it('never quotes a secret', async () => {
    const secret = 'sk-live-0123456789';
    const text = (
      await mistakes(
        {
          mcpServers: {
            a: { url: `http://u:${secret}@h`, headers: { 'bad name': secret, x: `${secret}\n`, y: [secret] } },
            b: { command: `run --key ${secret}`, args: secret, env: { 'A=B': secret, C: [secret] } },
            c: { url: secret, kind: '${SECRET}', port: 1, timeoutMs: '${SECRET}' },
          },
          gateway: { token: `${secret} with spaces`, logLevel: '${SECRET}' },
        },
        { SECRET: secret },
      )
    ).join('\n');
    expect(text).not.toContain(secret);
    expect(text.split('\n').length).toBeGreaterThan(6);
  });

  it('reports line and column of text that is no JSON', async () => {
    expect(await mistakes('{\n  "a": 1\n  "b": 2\n}')).toEqual([
      'servers.json:3:3: not JSON: found a double quote where , or } must be.',
    ]);
    expect(await mistakes('[]')).toEqual(['servers.json:1:1: found an empty list; allowed: an object.']);
  });

  it('keeps names from reaching a prototype', async () => {
    const lines = await mistakes(
      '{"mcpServers": {"__proto__": {"url": "http://h"}, "constructor": {"url": "http://h"}}}',
    );
    expect(lines).toHaveLength(1);
    expect(lines[0]).toContain('mcpServers.__proto__: not a usable name');
  });
});
