/**
 * What every provider of credentials towards servers does, as tests: `describeCredentials` runs them.
 * @module
 */
import { describe, expect, it } from 'vitest';
import { type CredentialServer, type Credentials, credentialsFor, GATEWAY_IDENTITY } from '../core/credentials.ts';
import { identityOf } from '../core/identity.ts';

export interface CredentialsUnderTest {
  credentials: Credentials;
  server: CredentialServer;
  /** Each principal has headers of its own. */
  perPrincipal: boolean;
  /** What is done after HTTP 401. */
  after401: 'retry' | 'give-up';
}

export function describeCredentials(name: string, make: () => CredentialsUnderTest): void {
  const [ada, bob] = [identityOf('ada'), identityOf('bob')];

  describe(`the credentials "${name}"`, () => {
    it('are the same object for the same identity, at once from the second time on', async () => {
      const { credentials, server } = make();
      const first = await credentials.headersFor(ada, server);
      expect(credentials.headersFor(ada, server)).toBe(first);
    });

    it('are headers with values that can be sent', async () => {
      const { credentials, server } = make();
      for (const [key, value] of Object.entries(await credentials.headersFor(ada, server))) {
        expect(key).toMatch(/^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/);
        expect(value).toMatch(/^[\x20-\x7e]*$/);
      }
    });

    it('of two principals differ exactly where each has its own', async () => {
      const { credentials, server, perPrincipal } = make();
      const [of, another] = [await credentials.headersFor(ada, server), await credentials.headersFor(bob, server)];
      if (perPrincipal) expect(another).not.toEqual(of);
      else expect(another).toEqual(of);
    });

    it("are there for the gateway's own requests", async () => {
      const { credentials, server } = make();
      expect(await credentials.headersFor(GATEWAY_IDENTITY, server)).toBeTypeOf('object');
    });

    it('are others after a refusal that is worth another try', async () => {
      const { credentials, server, after401 } = make();
      const bound = credentialsFor(credentials, server);
      const refused = await bound.headersFor(ada);
      expect((await bound.refused?.(ada, 401, 'Bearer error="invalid_token"')) ?? 'give-up').toBe(after401);
      const now = await bound.headersFor(ada);
      if (after401 === 'retry') expect(now).not.toEqual(refused);
      else expect(now).toEqual(refused);
    });

    it('of one principal stay when those of another are refused', async () => {
      const { credentials, server } = make();
      const bound = credentialsFor(credentials, server);
      const [, kept] = [await bound.headersFor(ada), await bound.headersFor(bob)];
      await bound.refused?.(ada, 401, undefined);
      expect(await bound.headersFor(bob)).toBe(kept);
    });
  });
}
