import { describe, expect, it } from 'vitest';
import { readConfig } from '../load-config.ts';
import { describeGateway } from './redact.ts';

const ISSUER = 'https://login.example/realms/acme';

const read = (auth: object, more: object = {}) =>
  readConfig(JSON.stringify({ gateway: { stateDir: false, auth, ...more } }), undefined, { env: {} });

const mistakesOf = (auth: object, more: object = {}): Promise<string> =>
  read(auth, more).then(
    () => '',
    (error: Error) => error.message,
  );

describe('gateway.auth', () => {
  it('reads an issuer and fills in what is left out', async () => {
    const { gateway } = await read({ issuers: [{ issuer: ISSUER, audience: 'api://gateway' }] });
    const [issuer] = gateway.auth?.issuers ?? [];
    expect(issuer).toMatchObject({ issuer: ISSUER, audience: ['api://gateway'], grants: [], requiredScopes: [] });
    expect(issuer?.algorithms.filter((name) => name.startsWith('HS') || name === 'none')).toEqual([]);
  });

  it('takes grants without a key where tokens have them, and no grant that is not there', async () => {
    const auth = { issuers: [{ issuer: ISSUER, grants: [{ claim: 'groups', value: 'ops', grant: 'ops' }] }] };
    const { policy } = await read(auth, { grants: { ops: {} } });
    expect(policy.grants.map(({ name }) => name)).toEqual(['ops']);
    expect(await mistakesOf(auth)).toContain('gateway.auth.issuers[0].grants[0].grant: found "ops"; allowed: "local"');
  });

  it.each([
    ['an issuer over plain http', { issuer: 'http://login.example' }, 'allowed: https'],
    ['an issuer with a query', { issuer: `${ISSUER}?a=1` }, 'which has neither'],
    ['keys over plain http', { issuer: ISSUER, jwksUri: 'http://login.example/jwks' }, 'allowed: https'],
    ['a shared secret', { issuer: ISSUER, algorithms: ['HS256'] }, 'algorithms'],
    ['no signature', { issuer: ISSUER, algorithms: ['none'] }, 'algorithms'],
    ['an implied scope that is not there', { issuer: ISSUER, scopes: { all: { implies: ['some'] } } }, '"some"'],
    ['a scope with a space', { issuer: ISSUER, requiredScopes: ['a b'] }, 'requiredScopes'],
    [
      'keys beside introspection',
      { issuer: ISSUER, jwksUri: `${ISSUER}/jwks`, introspection: { clientId: 'a', clientSecret: 'b' } },
      'found keys beside introspection',
    ],
  ])('refuses %s', async (_what, issuer, message) => {
    expect(await mistakesOf({ issuers: [issuer] })).toContain(message);
  });

  it('refuses one issuer twice', async () => {
    expect(await mistakesOf({ issuers: [{ issuer: ISSUER }, { issuer: ISSUER }] })).toContain('is there already');
  });

  it('is not shown with its secrets', async () => {
    const introspection = { clientId: 'gateway', clientSecret: 'a-secret-of-the-gateway' };
    const { gateway } = await read({ issuers: [{ issuer: ISSUER, introspection }] });
    expect(JSON.stringify(describeGateway(gateway))).not.toContain('a-secret');
  });
});
