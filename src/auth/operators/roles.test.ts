import { describe, expect, it } from 'vitest';
import type { JsonObject } from '../../wire/jsonrpc.ts';
import { missingClaims, nameOf, roleOf } from './roles.ts';

const rules = {
  admins: [
    { claim: 'groups', values: ['platform', 'sre'] },
    { claim: 'realm_access.roles', values: ['admin'] },
    { claim: 'email', values: ['ada@acme.example'] },
  ],
  viewers: [{ claim: 'groups', values: ['support'] }],
};
const role = (claims: JsonObject) => roleOf(claims, rules);

describe('the role of a person', () => {
  it.each<[string, JsonObject, string]>([
    ['a value of a list', { groups: ['a', 'sre'] }, 'admin'],
    ['a text', { groups: 'platform' }, 'admin'],
    ['a claim by its path', { realm_access: { roles: ['admin'] } }, 'admin'],
    ['a claim whose name has a dot', { 'realm_access.roles': ['admin'] }, 'admin'],
    ['an address that the provider has verified', { email: 'ada@acme.example', email_verified: true }, 'admin'],
    ['a rule for viewers', { groups: ['support'] }, 'viewer'],
    ['rules of both, the wider one', { groups: ['support', 'sre'] }, 'admin'],
  ])('comes from %s', (_what, claims, expected) => {
    expect(role(claims)).toBe(expected);
  });

  it.each<[string, JsonObject]>([
    ['no claims', {}],
    ['another value', { groups: ['Platform', 'platform ', 'platforms'] }],
    ['values in one text', { groups: 'platform,sre' }],
    ['an empty list', { groups: [] }],
    ['null', { groups: null }],
    ['true', { groups: true }],
    ['a number', { groups: 1 }],
    ['an object with the value as a name', { groups: { platform: true } }],
    ['a list in a list', { groups: [['platform']] }],
    ['objects', { groups: [{ name: 'platform' }] }],
    ['a name of every object', { 'realm_access.constructor': 'x', realm_access: { __proto__: { roles: ['admin'] } } }],
    ['an address without a word about it', { email: 'ada@acme.example' }],
    ['an address that is not verified', { email: 'ada@acme.example', email_verified: false }],
    ['an address whose proof is a text', { email: 'ada@acme.example', email_verified: 'true' }],
    ['a value beyond a thousand', { groups: [...Array.from({ length: 1_000 }, (_, i) => `g${i}`), 'platform'] }],
  ])('is none with %s', (_what, claims) => {
    expect(role(claims)).toBeUndefined();
  });
});

it('claims that rules speak of and a token lacks are named, without a value', () => {
  expect(missingClaims({ groups: ['x'] }, rules)).toEqual(['realm_access.roles', 'email']);
});

it('the name of a person is the first that the provider gives, on one line and short', () => {
  expect(nameOf({ sub: '7', name: 'Ada L', email: 'ada@acme.example', preferred_username: 'ada' })).toBe('ada');
  expect(nameOf({ sub: '7', preferred_username: '', email: 5, name: 'Ada\n\u202eL' })).toBe('Ada \\u202eL');
  expect([...nameOf({ sub: '😀'.repeat(300) })]).toHaveLength(100);
  expect(nameOf({})).toBe('a person without a name');
});
