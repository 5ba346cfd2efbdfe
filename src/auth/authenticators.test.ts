import { expect, test } from 'vitest';
import { gatewayAuthenticator } from './authenticators.ts';
import { type AuthenticatorUnderTest, describeAuthenticator } from './cases.ts';
import { GrantKeys } from './grant-keys.ts';
import { newKey } from './key.ts';
import { headerAuthenticator } from './testing/header-authenticator.ts';

const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

describeAuthenticator('keys of grants, with the token of the gateway', () => {
  const [ci, app] = [newKey(), newKey()];
  const grants = [
    { name: 'ci', keys: [ci.stored], expiresAt: undefined },
    { name: 'app', keys: [app.stored], expiresAt: undefined },
  ];
  const keys = new GrantKeys({ grants });
  return {
    auth: gatewayAuthenticator('correct-horse-battery', keys),
    accepted: [
      { headers: bearer(ci.key), principal: 'ci', grant: 'ci' },
      { headers: bearer(app.key), principal: 'app', grant: 'app' },
      { headers: bearer('correct-horse-battery'), principal: 'local', grant: undefined },
    ],
    refused: [
      {},
      bearer('wrong-horse'),
      bearer(newKey().key),
      bearer(''),
      bearer(`${ci.key} ${ci.key}`),
      { authorization: `Bearer${ci.key}` },
      { authorization: 'Basic correct-horse-battery' },
    ],
    revokeFirst: () => void keys.replace({ grants: grants.slice(1) }),
  };
});

describeAuthenticator('keys and the token in other headers, where those are named', (): AuthenticatorUnderTest => {
  const ci = newKey();
  const keys = new GrantKeys({ grants: [{ name: 'ci', keys: [ci.stored], expiresAt: undefined }] });
  return {
    auth: gatewayAuthenticator('correct-horse-battery', keys, ['x-api-key', 'api-key']),
    accepted: [
      { headers: { 'x-api-key': ci.key }, principal: 'ci', grant: 'ci' },
      { headers: { 'api-key': 'correct-horse-battery' }, principal: 'local', grant: undefined },
      { headers: { 'x-api-key': 'wrong-horse', ...bearer(ci.key) }, principal: 'ci', grant: 'ci' },
      { headers: { authorization: 'Basic dXNlcjpwYXNz', 'x-api-key': ci.key }, principal: 'ci', grant: 'ci' },
      // No token of RFC 6750 has white space in it.
      { headers: { 'x-api-key': ci.key, ...bearer('two\tparts') }, principal: 'ci', grant: 'ci' },
      { headers: { 'x-api-key': ci.key, ...bearer('\u00a0') }, principal: 'ci', grant: 'ci' },
    ],
    refused: [
      {},
      { 'x-api-key': 'wrong-horse' },
      { 'x-api-key': '' },
      { 'x-other-key': ci.key },
      { 'x-api-key': ci.key, ...bearer('wrong-horse') },
      { 'x-api-key': 'wrong-horse', 'api-key': ci.key },
    ],
    revokeFirst: () => void keys.replace({ grants: [] }),
  };
});

test('a key is read however its scheme is written, and whatever spaces stand around it', () => {
  const key = newKey();
  const keys = new GrantKeys({ grants: [{ name: 'ci', keys: [key.stored], expiresAt: undefined }] });
  for (const authorization of [`bEARER ${key.key}`, `Bearer   ${key.key}`, `Bearer ${key.key}  `]) {
    expect(gatewayAuthenticator(undefined, keys).authenticate({ headers: { authorization } })).toMatchObject({
      grant: 'ci',
    });
  }
});

test('a key in another header than Authorization is not read unless the header is named', () => {
  const key = newKey();
  const keys = new GrantKeys({ grants: [{ name: 'ci', keys: [key.stored], expiresAt: undefined }] });
  expect(() => gatewayAuthenticator(undefined, keys).authenticate({ headers: { 'x-api-key': key.key } })).toThrow(
    "send 'Authorization: Bearer <token>'.",
  );
  const named = gatewayAuthenticator(undefined, keys, ['x-api-key']);
  expect(() => named.authenticate({ headers: {} })).toThrow("or 'x-api-key: <token>'.");
});

describeAuthenticator('the local user, where nothing is configured', () => ({
  auth: gatewayAuthenticator(undefined),
  accepted: [
    { headers: {}, principal: 'local', grant: undefined },
    { headers: bearer('anything'), principal: 'local', grant: undefined },
  ],
  // A revoked key must not get further than none: it is refused, whatever else would be accepted.
  refused: [bearer(newKey().key)],
}));

describeAuthenticator('headers of a proxy, asynchronously', (): AuthenticatorUnderTest => {
  const auth = headerAuthenticator();
  return {
    auth,
    accepted: [
      { headers: { 'x-user': 'ada', 'x-grant': 'team' }, principal: 'ada', grant: 'team' },
      { headers: { 'x-user': 'bob', 'x-grant': 'team' }, principal: 'bob', grant: 'team' },
      { headers: { 'x-user': 'eve', 'x-team': 'red' }, principal: 'eve', grant: undefined },
    ],
    refused: [{}, { 'x-grant': 'team' }],
    revokeFirst: () => void auth.blocked.add('ada'),
  };
});

test('the built-in authenticator makes no object for a request', () => {
  const key = newKey();
  const keys = new GrantKeys({ grants: [{ name: 'ci', keys: [key.stored], expiresAt: undefined }] });
  const auth = gatewayAuthenticator('correct-horse-battery', keys);
  for (const token of [key.key, 'correct-horse-battery']) {
    expect(auth.authenticate({ headers: bearer(token) })).toBe(auth.authenticate({ headers: bearer(token) }));
  }
});
