import { describe, expect, it } from 'vitest';
import { readConfig } from '../load-config.ts';
import { diffGateway } from './diff.ts';
import { describeGateway } from './redact.ts';

const ISSUER = 'https://login.example/realms/acme';
const SECRET = 'a-secret-of-the-gateway';
const ADMINS = [{ claim: 'groups', value: 'platform' }];
const OWN = { issuer: ISSUER, clientId: 'gateway', admins: ADMINS };
const BRIDGE = { login: { issuer: ISSUER, clientId: 'bridge', clientSecret: SECRET, scopes: ['openid', 'groups'] } };

const read = (login: object, more: object = {}) =>
  readConfig(
    JSON.stringify({ gateway: { stateDir: false, publicUrl: 'https://mcp.example', admin: { login }, ...more } }),
    undefined,
    { env: {} },
  );

const mistakesOf = (login: object, more: object = {}): Promise<string> =>
  read(login, more).then(
    () => '',
    (error: Error) => error.message,
  );

describe('gateway.admin.login', () => {
  it('reads a provider of its own, and who is an operator', async () => {
    const viewers = [{ claim: 'realm_access.roles', value: ['support', 'audit'] }];
    const { gateway } = await read({ ...OWN, viewers });
    expect(gateway.admin?.login).toEqual({
      issuer: ISSUER,
      clientId: 'gateway',
      clientSecret: undefined,
      scopes: ['openid'],
      admins: [{ claim: 'groups', values: ['platform'] }],
      viewers: [{ claim: 'realm_access.roles', values: ['support', 'audit'] }],
      providerLogout: true,
    });
  });

  it('takes the provider of the bridge where it names none', async () => {
    const { gateway } = await read({ admins: ADMINS }, { auth: { bridge: BRIDGE } });
    expect(gateway.admin?.login).toMatchObject({
      issuer: ISSUER,
      clientId: 'bridge',
      clientSecret: SECRET,
      scopes: ['openid', 'groups'],
    });
    const wider = await read({ admins: ADMINS, scopes: ['openid', 'email'] }, { auth: { bridge: BRIDGE } });
    expect(wider.gateway.admin?.login?.scopes).toEqual(['openid', 'email']);
  });

  it.each([
    ['no rule', { issuer: ISSUER, clientId: 'gateway' }, {}, 'found no rule in admins or viewers'],
    ['a rule without a value', { ...OWN, admins: [{ claim: 'groups' }] }, {}, 'gateway.admin.login.admins[0].value'],
    ['a glob', { ...OWN, admins: [{ claim: 'email', value: '*@acme.example' }] }, {}, 'admins[0].value: found a glob'],
    ['an issuer over plain http', { ...OWN, issuer: 'http://login.example' }, {}, 'allowed: https'],
    ['an issuer without a client', { issuer: ISSUER, admins: ADMINS }, {}, 'login.clientId: found none'],
    ['scopes without openid', { ...OWN, scopes: ['profile'] }, {}, 'found no "openid"'],
    ['no provider at all', { admins: ADMINS }, {}, 'login.issuer: found none'],
    ['a bridge with the admin token', { admins: ADMINS }, { auth: { bridge: { login: 'admin-token' } } }, 'found none'],
    [
      'a client of its own at the provider of the bridge',
      { admins: ADMINS, clientId: 'other' },
      { auth: { bridge: BRIDGE } },
      'login.clientId: found one without an issuer',
    ],
    ['no public address', OWN, { publicUrl: undefined }, 'found no gateway.publicUrl'],
    ['a public address over plain http', OWN, { publicUrl: 'http://mcp.example' }, 'found an http gateway.publicUrl'],
  ])('refuses %s', async (_what, login, more, message) => {
    expect(await mistakesOf(login, more)).toContain(message);
  });

  it('shows its secret nowhere, and says that an edit takes effect after a restart', async () => {
    const { gateway } = await read({ ...OWN, clientSecret: SECRET });
    expect(JSON.stringify(describeGateway(gateway))).not.toContain(SECRET);
    const { gateway: other } = await read({ ...OWN, admins: [{ claim: 'groups', value: 'others' }] });
    expect(diffGateway(gateway, other)).toEqual(['gateway.admin']);
    expect(await mistakesOf({ ...OWN, clientSecret: SECRET.repeat(400) })).not.toContain(SECRET);
  });
});
