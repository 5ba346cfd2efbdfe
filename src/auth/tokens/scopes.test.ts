import { describe, expect, it } from 'vitest';
import type { ScopedEntry } from '../../core/identity.ts';
import type { ScopeConfig } from '../../core/token-issuer.ts';
import { advertised, scopeTable } from './scopes.ts';

const tool = (namespaced: string, server = 'v'): ScopedEntry => ({ server, section: 'tools', namespaced });

function missing(scopes: Record<string, Partial<ScopeConfig>>, held: string[], entry: ScopedEntry): unknown {
  const full = Object.fromEntries(Object.entries(scopes).map(([name, scope]) => [name, { implies: [], ...scope }]));
  const table = scopeTable({ scopes: full, requiredScopes: [], audience: [] });
  return table.limitsOf(table.expand(held))?.missing(entry);
}

describe('scopes', () => {
  it('allow by any that the token has', () => {
    const scopes = { read: { tools: ['v__get*'] }, all: { tools: ['*'] } };
    expect(missing(scopes, ['all'], tool('v__get_it'))).toEqual([]);
    expect(missing(scopes, ['read'], tool('v__get_it'))).toEqual([]);
    expect(missing(scopes, ['read'], tool('v__put_it'))).toEqual(['all']);
  });

  it('have what they imply, over any number of steps and in circles', () => {
    const scopes = {
      admin: { implies: ['write'] },
      write: { tools: ['v__put'], implies: ['read'] },
      read: { tools: ['v__get'], implies: ['admin'] },
    };
    for (const name of Object.keys(scopes)) expect(missing(scopes, [name], tool('v__get'))).toEqual([]);
  });

  it('ask for the narrowest that would do', () => {
    const scopes = { admin: { tools: ['*'], implies: ['read'] }, read: { tools: ['v__get'] } };
    expect(missing(scopes, [], tool('v__get'))).toEqual(['read']);
  });

  it('of servers alone allow everything there, and nothing elsewhere', () => {
    const scopes = { v: { servers: ['v'] } };
    expect(missing(scopes, ['v'], tool('v__get'))).toEqual([]);
    expect(missing(scopes, ['v'], { server: 'v', section: 'methods', namespaced: 'v__x/y' })).toEqual([]);
    expect(missing(scopes, ['v'], tool('w__get', 'w'))).toBeUndefined();
  });

  it('that name nothing allow nothing, and a list of one section none of another', () => {
    expect(missing({ none: {} }, ['none'], tool('v__get'))).toBeUndefined();
    const prompt = { server: 'v', section: 'prompts', namespaced: 'v__get' };
    expect(missing({ tools: { tools: ['*'] } }, ['tools'], prompt)).toBeUndefined();
  });

  it('allow a URI only where its normal form is allowed too', () => {
    const scopes = { docs: { resources: ['v+file:///docs/*'] } };
    const uri = (namespaced: string): ScopedEntry => ({ server: 'v', section: 'resources', namespaced });
    const climbing = { ...uri('v+file:///docs/../etc/passwd'), usual: uri('v+file:///etc/passwd') };
    expect(missing(scopes, ['docs'], climbing)).toBeUndefined();
    expect(missing(scopes, ['docs'], { ...uri('v+file:///docs/a'), usual: uri('v+file:///docs/a') })).toEqual([]);
  });

  it('allow an agent by its own name or by that of its tool', () => {
    const agent = { server: 'v', section: 'agents', namespaced: 'v__a', tool: { namespaced: 'v__agent_a' } };
    expect(missing({ one: { agents: ['v__a'] } }, ['one'], agent)).toEqual([]);
    expect(missing({ one: { tools: ['v__agent_a'] } }, ['one'], agent)).toEqual([]);
    expect(missing({ one: { tools: ['v__a'] } }, ['one'], agent)).toBeUndefined();
  });

  it('of Entra are asked for below the URI of the application', () => {
    const entra = (audience: string[]) => advertised('mcp.read', { quirks: 'entra', audience });
    expect(entra(['1b2c'])).toBe('api://1b2c/mcp.read');
    expect(entra(['1b2c', 'api://gateway'])).toBe('api://gateway/mcp.read');
    expect(advertised('mcp.read', { quirks: undefined, audience: ['api://gateway'] })).toBe('mcp.read');
  });
});
