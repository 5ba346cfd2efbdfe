/** The official clients log in to the gateway by their own flows: challenge, metadata, registration, code, token. */
import { StreamableHTTPClientTransport as HttpV2 } from '@modelcontextprotocol/client';
import { StreamableHTTPClientTransport as HttpV1 } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import type { Transport as TransportV1 } from '@modelcontextprotocol/sdk/shared/transport.js';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { clientV1, clientV2 } from '../../src/endpoint/testing/clients.ts';
import { DESKTOP, Person } from './login.ts';
import { type LoginGateway, startLoginGateway } from './tokens.ts';

let login: LoginGateway;
let mcp: URL;

beforeAll(async () => {
  login = await startLoginGateway({
    oidc: { path: '/realms/acme', clients: [DESKTOP] },
    issuer: {
      requiredScopes: ['mcp'],
      scopes: {
        mcp: { tools: ['list*'] },
        'mcp:read': { tools: ['v__read'] },
        'mcp:write': { tools: ['v__write'] },
        'mcp:admin': { servers: ['*'], implies: ['mcp:read', 'mcp:write'] },
      },
    },
  });
  mcp = login.gateway.at('/mcp');
});
afterAll(() => login?.close());

const scopesIn = (url: URL | undefined): string[] => (url?.searchParams.get('scope') ?? '').split(' ').sort();

describe('SDK v1', () => {
  it('is led from the 401 to the login and calls a tool', async () => {
    const person = new Person(login.oidc);
    const first = new HttpV1(mcp, { authProvider: person.provider() });
    await expect(clientV1(first as TransportV1)).rejects.toThrow('Unauthorized');
    expect(person.visits[0]?.searchParams.get('resource')).toBe(mcp.href);
    expect(scopesIn(person.visits[0])).toContain('mcp');
    await first.finishAuth(person.takeCallback().get('code') as string);
    await first.close();
    const client = await clientV1(new HttpV1(mcp, { authProvider: person.provider() }) as TransportV1);
    onTestFinished(() => client.close());
    expect(await client.tools()).toContain('v__read');
  });

  it('asks for the scope that a call needs', async () => {
    const person = new Person(login.oidc, { clientId: DESKTOP.client_id });
    const first = new HttpV1(mcp, { authProvider: person.provider() });
    await expect(clientV1(first as TransportV1)).rejects.toThrow('Unauthorized');
    await first.finishAuth(person.takeCallback().get('code') as string);
    await first.close();
    const transport = new HttpV1(mcp, { authProvider: person.provider() });
    const client = await clientV1(transport as TransportV1);
    onTestFinished(() => client.close());
    await expect(client.call('v__read')).rejects.toThrow('Unauthorized');
    expect(scopesIn(person.visits[1])).toEqual(['mcp', 'mcp:read']);
    await transport.finishAuth(person.takeCallback().get('code') as string);
    expect(await client.call('v__read')).toBe('read done');
  });
});

describe.each(['legacy', { pin: '2026-07-28' }] as const)('SDK v2 (%j)', (mode) => {
  it('registers, logs in and lists what it may ask for', async () => {
    const person = new Person(login.oidc);
    const first = new HttpV2(mcp, { authProvider: person.provider() });
    await expect(clientV2(first, mode)).rejects.toThrow();
    await first.finishAuth(person.takeCallback());
    await first.close();
    const client = await clientV2(new HttpV2(mcp, { authProvider: person.provider() }), mode);
    onTestFinished(() => client.close());
    expect(person.tokens?.scope).toBe('mcp');
    expect(await client.tools()).toEqual(expect.arrayContaining(['v__read', 'v__write']));
  });

  it('gets the scope that a call needs beside those it has', async () => {
    const person = new Person(login.oidc, { clientId: DESKTOP.client_id });
    const first = new HttpV2(mcp, { authProvider: person.provider() });
    await expect(clientV2(first, mode)).rejects.toThrow();
    await first.finishAuth(person.takeCallback());
    await first.close();
    const transport = new HttpV2(mcp, { authProvider: person.provider() });
    const client = await clientV2(transport, mode);
    onTestFinished(() => client.close());
    await expect(client.call('v__read')).rejects.toThrow();
    expect(scopesIn(person.visits[1])).toEqual(expect.arrayContaining(['mcp', 'mcp:read']));
    await transport.finishAuth(person.takeCallback());
    expect(await client.call('v__read')).toBe('read done');

    await expect(client.call('v__write')).rejects.toThrow();
    expect(scopesIn(person.visits[2])).toEqual(expect.arrayContaining(['mcp', 'mcp:read', 'mcp:write']));
    await transport.finishAuth(person.takeCallback());
    expect([await client.call('v__write'), await client.call('v__read')]).toEqual(['write done', 'read done']);
  });
});

describe('a gateway behind a proxy that renames WWW-Authenticate', () => {
  it('is found by its well-known address alone', async () => {
    const renaming = async (url: string | URL, init?: RequestInit): Promise<Response> => {
      const response = await fetch(url, init);
      const headers = new Headers(response.headers);
      const challenge = headers.get('www-authenticate');
      headers.delete('www-authenticate');
      if (challenge !== null) headers.set('x-amzn-remapped-www-authenticate', challenge);
      return new Response(response.body, { status: response.status, headers });
    };
    const person = new Person(login.oidc);
    const transport = new HttpV2(mcp, { authProvider: person.provider(), fetch: renaming });
    await expect(clientV2(transport, 'legacy')).rejects.toThrow();
    await transport.finishAuth(person.takeCallback());
    await transport.close();
    expect(person.tokens?.scope).toBe('mcp');
  });
});
