/**
 * What every authenticator does, as tests: `describeAuthenticator` runs them against an implementation.
 * @module
 */
import { describe, expect, it } from 'vitest';
import { SwitchboardError } from '../core/errors.ts';
import { type Authenticator, type Identity, isSameIdentity } from '../core/identity.ts';

type Headers = Record<string, string>;

export interface AuthenticatorUnderTest {
  auth: Authenticator;
  /** Credentials that are accepted, and whose they are. */
  accepted: readonly { headers: Headers; principal: string; grant: string | undefined }[];
  /** Credentials that are refused; `{}` among them unless the authenticator is open. */
  refused: readonly Headers[];
  /** Takes the validity of the first accepted credential away. Undefined: nothing can. */
  revokeFirst?: () => void;
}

export function describeAuthenticator(name: string, make: () => AuthenticatorUnderTest): void {
  const identify = async (auth: Authenticator, headers: Headers): Promise<Identity> =>
    auth.authenticate({ method: 'POST', url: '/mcp', headers });
  const refusal = async (auth: Authenticator, headers: Headers): Promise<SwitchboardError> => {
    const error = await identify(auth, headers).then(
      ({ principal }) => `accepted as ${principal}`,
      (thrown: unknown) => thrown,
    );
    expect(error).toBeInstanceOf(SwitchboardError);
    return error as SwitchboardError;
  };

  describe(`the authenticator "${name}"`, () => {
    it('names the principal and the grant of every accepted credential', async () => {
      const { auth, accepted } = make();
      for (const { headers, principal, grant } of accepted) {
        expect(await identify(auth, headers)).toMatchObject({ principal, grant, claims: expect.any(Object) });
      }
    });

    it('gives the same identity for the same credential, and holds it valid', async () => {
      const { auth, accepted } = make();
      for (const { headers } of accepted) {
        const [first, second] = [await identify(auth, headers), await identify(auth, headers)];
        expect(isSameIdentity(first, second)).toBe(true);
        expect(auth.isValid(first)).toBe(true);
      }
    });

    it('refuses with 401 or 403, a challenge and a message without the credential', async () => {
      const { auth, refused } = make();
      expect(refused).not.toEqual([]);
      for (const headers of refused) {
        const error = await refusal(auth, headers);
        expect([401, 403]).toContain(error.httpStatus);
        if (error.httpStatus === 401) expect(error.challenge).toMatch(/^[A-Z][\w-]* \S/);
        for (const secret of Object.values(headers)) {
          const last = secret.split(' ').at(-1) as string;
          if (last.length >= 4) expect(`${error.message} ${JSON.stringify(error.data)}`).not.toContain(last);
        }
      }
    });

    it('accepts a request without credentials exactly when it is open', async () => {
      const { auth } = make();
      if (auth.open) await identify(auth, {});
      else await refusal(auth, {});
    });

    it('keeps no credential in an identity', async () => {
      const { auth, accepted } = make();
      for (const { headers } of accepted) {
        const { authorization } = headers;
        if (authorization === undefined) continue;
        expect(JSON.stringify(await identify(auth, headers))).not.toContain(authorization.split(' ').at(-1));
      }
    });

    it('stops accepting a revoked credential, and says that its identity is not valid any more', async () => {
      const { auth, accepted, revokeFirst } = make();
      const [first] = accepted;
      if (!revokeFirst || !first) return;
      const before = auth.version;
      const identity = await identify(auth, first.headers);
      revokeFirst();
      await refusal(auth, first.headers);
      expect(auth.isValid(identity)).toBe(false);
      if (before !== undefined) expect(auth.version).not.toBe(before);
    });
  });
}
