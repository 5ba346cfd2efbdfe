import { describe, expect, it } from 'vitest';
import { type Authenticator, grantIdentity, type Identity, LOCAL_IDENTITY } from '../core/identity.ts';
import { besideBroker, brokerValidity } from './broker-identities.ts';

const user: Identity = { principal: 'ada@example', grant: undefined, claims: {} };

class OwnAuthenticator implements Authenticator {
  readonly asked: Identity[] = [];
  #version = 0;

  authenticate(): Identity {
    return user;
  }

  isValid(identity: Identity): boolean {
    this.asked.push(identity);
    return identity === user;
  }

  get severalPrincipals(): boolean {
    return true;
  }

  get version(): number {
    return ++this.#version;
  }
}

describe('an authenticator beside the clients of a broker', () => {
  const ofBroker = grantIdentity('research');

  it('is not asked about them, and is about everybody else', () => {
    const own = new OwnAuthenticator();
    let valid = true;
    const auth = besideBroker(
      own,
      (identity) => identity === ofBroker,
      () => valid,
    );
    expect(auth.isValid(ofBroker)).toBe(true);
    valid = false;
    expect(auth.isValid(ofBroker)).toBe(false);
    expect(auth.isValid(user)).toBe(true);
    // Of the same grant, and let in by a key: another object.
    const holder = grantIdentity('research');
    expect(auth.isValid(holder)).toBe(false);
    expect(own.asked).toEqual([user, holder]);
  });

  it('is otherwise as it was, private state included', () => {
    const auth = besideBroker(
      new OwnAuthenticator(),
      () => false,
      () => false,
    );
    expect(auth.authenticate({ headers: {} })).toBe(user);
    expect([auth.version, auth.version, auth.severalPrincipals, auth.open]).toEqual([1, 2, true, undefined]);
  });
});

describe('a client on the broker', () => {
  it('may call while its grant is valid, or as the local user', () => {
    const isValid = brokerValidity({ isValid: (grant) => grant === 'research' });
    expect(isValid(grantIdentity('research'))).toBe(true);
    expect(isValid(grantIdentity('gone'))).toBe(false);
    expect(isValid(LOCAL_IDENTITY)).toBe(true);
    expect(isValid({ ...LOCAL_IDENTITY })).toBe(false);
    expect(brokerValidity(undefined)(grantIdentity('research'))).toBe(false);
  });
});
