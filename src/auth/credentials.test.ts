import { describe, expect, it } from 'vitest';
import { BROKER_DEFAULTS } from '../core/broker.ts';
import { credentialsFor, GATEWAY_IDENTITY } from '../core/credentials.ts';
import { grantIdentity, type Identity } from '../core/identity.ts';
import { describeCredentials } from './credentials-cases.ts';
import { staticCredentials } from './static-credentials.ts';
import { rotatingCredentials } from './testing/rotating-credentials.ts';

const server = { name: 's', url: 'https://s.example/mcp', headers: Object.freeze({ 'X-Api-Key': 'k', other: '1' }) };

describeCredentials('headers of the configuration', () => ({
  credentials: staticCredentials,
  server,
  perPrincipal: false,
  after401: 'give-up',
}));

describeCredentials('a vault of tokens', () => ({
  credentials: rotatingCredentials(),
  server,
  perPrincipal: true,
  after401: 'retry',
}));

describe('logins of the configuration', () => {
  const login = { username: 'scout', password: 'pw' };
  const logins = { grants: { scout: login }, principals: { ada: { username: 'ada' } }, required: false };
  const loginsOf = (required: boolean) =>
    credentialsFor(staticCredentials, {
      ...server,
      broker: { ...BROKER_DEFAULTS, logins: { ...logins, required } },
    }).loginFor;
  const person = (principal: string, grant: string | undefined): Identity => ({ principal, grant, claims: {} });

  it("are the principal's, then the grant's, as the same object each time", () => {
    const loginFor = loginsOf(false);
    expect(loginFor?.(person('ada', 'scout'))).toEqual({ username: 'ada' });
    expect(loginFor?.(person('bob', 'scout'))).toBe(login);
    expect(loginFor?.(grantIdentity('scout'))).toBe(login);
  });

  it('of a grant are no principal’s of the same name, and the other way round', () => {
    const loginFor = loginsOf(false);
    expect(loginFor?.(person('scout', undefined))).toBeUndefined();
    expect(loginFor?.(person('bob', 'ada'))).toBeUndefined();
    expect(loginFor?.(person('constructor', '__proto__'))).toBeUndefined();
  });

  it('must be there where they are required, but not for the gateway itself', () => {
    const loginFor = loginsOf(true);
    expect(() => loginFor?.(person('eve', 'guest'))).toThrow(
      expect.objectContaining({ code: 'SWB_UPSTREAM_AUTH', message: expect.stringMatching(/^unauthorized: /) }),
    );
    expect(loginFor?.(GATEWAY_IDENTITY)).toBeUndefined();
  });
});
