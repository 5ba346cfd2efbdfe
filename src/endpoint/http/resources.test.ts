import { describe, expect, it } from 'vitest';
import { ProtectedResources } from './resources.ts';

const resources = (publicUrl?: string, basePath = ''): ProtectedResources =>
  new ProtectedResources({ publicUrl, basePath, authorizationServers: ['https://login.example'], scopes: [] });

const request = (url: string, host = '127.0.0.1:7300') => ({ method: 'POST', url, headers: { host } });

const resourceAt = (own: ProtectedResources, path: string): unknown => {
  const document = own.metadata(request('/'), path);
  return document === undefined ? undefined : (JSON.parse(document) as { resource: string }).resource;
};

describe('the address of a protected resource', () => {
  it.each([
    ['/mcp', '/mcp'],
    ['/mcp/?a=b', '/mcp'],
    ['/servers/a%20b/mcp', '/servers/a%20b/mcp'],
    ['/messages?sessionId=1', '/sse'],
    ['/servers/v/messages', '/servers/v/sse'],
    ['/a2a/v/agent/tasks/1', '/a2a/v/agent'],
    ['/v1/responses', '/v1'],
    ['/servers/"\\/mcp', '/servers/%22%5C/mcp'],
  ])('of %s is %s', (url, path) => {
    const gateway = 'http://127.0.0.1:7300';
    expect(resources().addressOf(request(url))).toEqual({ resource: gateway + path, gateway });
  });

  it('begins with gateway.publicUrl, in canonical form, whatever the Host', () => {
    const own = resources('HTTPS://Gateway.Example/');
    expect(own.addressOf(request('/mcp', 'evil.example')).resource).toBe('https://gateway.example/mcp');
  });

  it('has the Host in lower case', () => {
    expect(resources().addressOf(request('/mcp', 'LOCALHOST:7300')).resource).toBe('http://localhost:7300/mcp');
  });
});

describe('metadata behind a path', () => {
  const own = resources('https://host.example/gateway');

  it('is found where clients insert the well-known part, and below the path', () => {
    expect(resourceAt(own, '/gateway/mcp')).toBe('https://host.example/gateway/mcp');
    expect(resourceAt(own, '/mcp')).toBe('https://host.example/gateway/mcp');
    expect(resourceAt(own, '/gateway')).toBe('https://host.example/gateway');
  });

  it('is named below the path, where the proxy leads to the gateway', () => {
    expect(own.complete('Bearer realm="x"', request('/mcp'))).toBe(
      'Bearer realm="x", resource_metadata="https://host.example/gateway/.well-known/oauth-protected-resource/mcp"',
    );
  });

  it('knows a base path that the whole path arrives with', () => {
    const mounted = resources(undefined, '/gateway');
    expect(mounted.addressOf(request('/gateway/mcp')).resource).toBe('http://127.0.0.1:7300/gateway/mcp');
  });
});
