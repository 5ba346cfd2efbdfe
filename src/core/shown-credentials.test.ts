import { describe, expect, it } from 'vitest';
import type { BrokerLogin } from './broker.ts';
import { identityOf } from './identity.ts';
import { ShownCredentials } from './shown-credentials.ts';

describe('credentials that were shown to a server', () => {
  const ada = identityOf('ada');

  it('are masked from the moment they are shown, headers and logins, at once and later', async () => {
    const shown = new ShownCredentials();
    const logins: (BrokerLogin | undefined)[] = [
      { username: 'ada-at-the-broker', password: 'first-password' },
      { username: 'ada-at-the-broker', password: 'second-password', passphrase: 'of-the-key' },
      undefined,
    ];
    const { headersFor, loginFor, refused } = shown.remembering({
      headersFor: async () => ({ authorization: 'Bearer token-of-ada' }),
      loginFor: () => logins.shift(),
    });
    const said = 'token-of-ada first-password second-password of-the-key ada-at-the-broker';
    expect(shown.mask(said)).toBe(said);
    await headersFor(ada);
    expect(loginFor?.(ada)).toMatchObject({ password: 'first-password' });
    expect(shown.mask(said)).toBe('[redacted] [redacted] second-password of-the-key ada-at-the-broker');
    await loginFor?.(ada);
    expect(shown.mask(said)).toBe('[redacted] [redacted] [redacted] [redacted] ada-at-the-broker');
    expect(loginFor?.(ada)).toBeUndefined();
    expect(refused).toBeUndefined();
  });

  it('keep what their provider can do: learn of refusals, and give logins', async () => {
    const { refused, loginFor } = new ShownCredentials().remembering({
      headersFor: () => ({}),
      refused: () => 'retry',
    });
    expect(await refused?.(ada, 401, undefined)).toBe('retry');
    expect(loginFor).toBeUndefined();
  });
});
