import { describe, expect, it } from 'vitest';
import { grantRules, isOf, kindProblem, principalOf, scopesOf } from './claims.ts';

const ISSUER = 'https://login.example/realms/acme';

describe('the principal of a token', () => {
  it('is issuer and subject, and no two subjects are one', () => {
    expect(principalOf(ISSUER, { sub: 'alice' })).toBe(`${ISSUER}#alice`);
    expect(principalOf(ISSUER, { sub: 'a b\nc' })).toBe(`${ISSUER}#a%20b%0Ac`);
    expect(principalOf(ISSUER, { sub: 'a%20b%0Ac' })).toBe(`${ISSUER}#a%2520b%250Ac`);
  });

  it('is the client where a machine has no subject, and never that of a person', () => {
    expect(principalOf(ISSUER, { client_id: 'ci' })).toBe(`${ISSUER}?client=ci`);
    expect(principalOf(ISSUER, { sub: '?client=ci' })).not.toBe(`${ISSUER}?client=ci`);
    expect(principalOf(ISSUER, { sub: 7, client_id: 'ci' })).toBeUndefined();
    expect(principalOf(ISSUER, {})).toBeUndefined();
    expect(principalOf(ISSUER, { sub: 'x'.repeat(513) })).toBeUndefined();
  });

  it('is not taken for that of an issuer with a longer name', () => {
    expect(isOf(ISSUER, `${ISSUER}#alice`)).toBe(true);
    expect(isOf(ISSUER, `${ISSUER}2#alice`)).toBe(false);
    expect(isOf(ISSUER, 'ops')).toBe(false);
  });
});

describe('the grant of a token', () => {
  const grantOf = grantRules({
    grants: [
      { claim: 'https://acme.example/groups', values: ['ops'], grant: 'ops' },
      { claim: 'realm_access.roles', values: ['dev-*', 'qa'], grant: 'dev' },
      { claim: 'email_verified', values: ['true'], grant: 'local' },
    ],
  });

  it('is that of the first rule that fits one of the values of its claim', () => {
    expect(grantOf({ 'https://acme.example/groups': ['x', 'ops'], realm_access: { roles: ['qa'] } })).toEqual({
      grant: 'ops',
    });
    expect(grantOf({ realm_access: { roles: ['dev-web'] } })).toEqual({ grant: 'dev' });
    expect(grantOf({ email_verified: true })).toEqual({ grant: undefined });
  });

  it('is none where no rule fits', () => {
    const none = { refused: expect.stringContaining('no rule of its issuer gives it a grant') };
    expect(grantOf({ realm_access: 'dev-web', groups: ['ops'] })).toEqual(none);
    expect(grantOf({ 'https://acme.example/groups': { ops: true } })).toEqual(none);
  });

  it.each([undefined, false, 'true', 1])('is not that of an address whose email_verified is %j', (email_verified) => {
    const byAddress = grantRules({
      grants: [
        { claim: 'email', values: ['*@contractor.example'], grant: 'limited' },
        { claim: 'groups', values: ['ops'], grant: 'ops' },
      ],
      grant: 'staff',
    });
    const claims = { sub: 'mallory', email: 'mallory@contractor.example' };
    expect(byAddress({ ...claims, email_verified: true })).toEqual({ grant: 'limited' });
    // Nor the one for all others, which may be wider.
    expect(byAddress({ ...claims, email_verified })).toEqual({ refused: expect.stringContaining('email_verified') });
    expect(byAddress({ ...claims, email_verified, groups: ['ops'] })).toEqual({ grant: 'ops' });
    expect(byAddress({ ...claims, email_verified, email: 'ada@acme.example' })).toEqual({ grant: 'staff' });
    expect(byAddress({ sub: 'a machine' })).toEqual({ grant: 'staff' });
  });
});

describe('the habits of products', () => {
  it('say where scopes stand', () => {
    expect(scopesOf({ scope: 'a b' }, undefined)).toEqual(['a', 'b']);
    expect(scopesOf({ scp: ['a', 'b'] }, 'okta')).toEqual(['a', 'b']);
    expect(scopesOf({ scp: 'a b', roles: ['c'] }, 'entra')).toEqual(['a', 'b', 'c']);
    expect(scopesOf({ scope: 'a', permissions: ['b'] }, 'auth0')).toEqual(['a', 'b']);
    expect(scopesOf({ roles: ['c'], permissions: ['b'] }, undefined)).toEqual([]);
  });

  it('tell access tokens from others', () => {
    expect(kindProblem({ typ: 'Bearer', nonce: 'n' }, 'keycloak', false)).toBeUndefined();
    expect(kindProblem({ typ: 'ID' }, 'keycloak', false)).toContain('"ID"');
    expect(kindProblem({ azp: 'app' }, 'entra', false)).toBeUndefined();
    expect(kindProblem({ aud: 'app' }, 'entra', false)).toContain('ID token');
    expect(kindProblem({ nonce: 'n' }, undefined, false)).toContain('ID token');
    expect(kindProblem({ cnf: { jkt: 'x' } }, undefined, true)).toContain('cnf');
  });
});
