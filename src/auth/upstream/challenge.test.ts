import { describe, expect, it } from 'vitest';
import { readChallenge } from './challenge.ts';

describe('a challenge', () => {
  it('is read with its parameters, quoted or not, in any order', () => {
    expect(
      readChallenge(
        'Bearer error="insufficient_scope", scope="a b", resource_metadata="https://s.example/.well-known/x"',
      ),
    ).toMatchObject({
      ...{ asksForToken: true, dpop: false, error: 'insufficient_scope', scopes: ['a', 'b'] },
      resourceMetadata: 'https://s.example/.well-known/x',
    });
    expect(readChallenge('Basic realm="x", DPoP error=use_dpop_nonce')).toMatchObject({
      ...{ asksForToken: true, dpop: true, error: 'use_dpop_nonce' },
    });
  });

  it('of another scheme, or none, asks for no token', () => {
    for (const header of [undefined, '', 'Basic realm="Bearer of news"', 'Bearerish']) {
      expect(readChallenge(header).asksForToken).toBe(false);
    }
  });

  it('gives no address but an absolute one of the web, and no scope that could not be sent', () => {
    for (const address of ['/relative', 'file:///etc/passwd', 'javascript:alert(1)']) {
      expect(readChallenge(`Bearer resource_metadata="${address}"`).resourceMetadata).toBeUndefined();
    }
    expect(readChallenge('Bearer scope="ok \u00e9 ok2 ok"').scopes).toEqual(['ok', 'ok2']);
  });

  it('is read up to a bound', () => {
    const many = Array.from({ length: 5_000 }, (_, n) => `s${n}`).join(' ');
    expect(readChallenge(`Bearer scope="${many}"`).scopes.length).toBeLessThanOrEqual(64);
  });

  it('says how a person has to have logged in (RFC 9470)', () => {
    expect(
      readChallenge('Bearer error="insufficient_user_authentication", acr_values="phr strong", max_age="5"'),
    ).toMatchObject({ acrValues: 'phr strong', maxAge: '5' });
  });
});
