import { describe, expect, it } from 'vitest';
import { FakeServer } from '../testing/fakes.ts';
import { exposed, harness } from '../testing/harness.ts';
import { exposeAppLinks } from './app-links.ts';

const { start } = harness();

const expose = (text: string): string =>
  exposeAppLinks(Buffer.from(text), JSON.parse(text), (uri) => uri.replace('ui://', 'ui://one+')).toString();

describe('a tool’s link to its app', () => {
  it.each([
    '{"name":"a", "_meta":{"x":1.0,"ui":{"resourceUri":"ui://app/v","visibility":["app"]}},"zz":12345678901234567890}',
    '{"_meta":{"ui/resourceUri":"ui://app/v"},"name":"a"}',
    ' {"_meta":{"ui/resourceUri":"ui://app/v","ui":{"resourceUri":"ui://app/v"}},"name":"a"}',
  ])('is respelled, and nothing else: %s', (text) => {
    expect(expose(text)).toBe(text.replaceAll('ui://app/v', 'ui://one+app/v'));
  });

  it('counts in the member a client reads, where there are two', () => {
    expect(expose('{"_meta":{"ui":{"resourceUri":"ui://a","resourceUri":"ui://b"}}}')).toBe(
      '{"_meta":{"ui":{"resourceUri":"ui://a","resourceUri":"ui://one+b"}}}',
    );
  });

  it.each([
    '{"name":"a"}',
    '{"name":"a","_meta":null}',
    '{"name":"a","_meta":{"ui":"ui://app/v","ui/resourceUri":7}}',
    '{"name":"a","_meta":{"ui":{"resourceUri":"https://example.com"}}}',
    '{"name":"a","description":"_meta ui resourceUri ui://app/v"}',
    '{"name":"a","inputSchema":{"_meta":{"ui":{"resourceUri":"ui://app/v"}}}}',
  ])('is no other text: %s', (text) => {
    expect(expose(text)).toBe(text);
  });

  it('leads to the resource of its own server when another has one of the same URI', async () => {
    const app = (): FakeServer => {
      const server = new FakeServer();
      server.capabilities = { tools: {}, resources: {} };
      const value = { name: 'show', inputSchema: { type: 'object' }, _meta: { ui: { resourceUri: 'ui://app/v' } } };
      server.catalogs.tools = { entries: [{ key: 'show', value, raw: Buffer.from(JSON.stringify(value)) }] };
      server.catalogs.resources = { entries: [{ key: 'ui://app/v', value: { uri: 'ui://app/v', name: 'v' } }] };
      return server;
    };
    const federation = await start({ one: app(), two: app() });
    const { tools } = JSON.parse(federation.all.page('tools', 'modern', undefined).result.toString());
    const links = tools.map((tool: { _meta: { ui: { resourceUri: string } } }) => tool._meta.ui.resourceUri);
    expect(links).toEqual(['ui://one+app/v', 'ui://two+app/v']);
    expect(exposed(federation.all, 'resources')).toEqual(links);
    expect(links.map((uri: string) => federation.all.resolveUri(uri)?.member.name)).toEqual(['one', 'two']);
    const own = JSON.parse(federation.view('two')?.page('tools', 'legacy', undefined).result.toString() ?? '');
    expect(own.tools[0]._meta.ui.resourceUri).toBe('ui://app/v');
  });
});
