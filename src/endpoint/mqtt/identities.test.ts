import { describe, expect, it } from 'vitest';
import { grantIdentity, LOCAL_IDENTITY } from '../../core/identity.ts';
import { clientIdentities } from './identities.ts';

const GRANTS = ['operator', 'night', 'other', 'single', 'research'];
const IDENTITIES = new Map([...GRANTS.map((name) => [name, grantIdentity(name)] as const), ['local', LOCAL_IDENTITY]]);

describe('a client id', () => {
  it('has the grant that is configured for it, spelled out before globs and globs in their order', () => {
    const identify = clientIdentities(
      { 'ops-*': 'operator', 'ops-night': 'night', '*-night': 'other', '?': 'single' },
      IDENTITIES,
    );
    expect(identify('ops-day')).toMatchObject({ principal: 'operator', grant: 'operator' });
    expect(identify('ops-night')).toMatchObject({ grant: 'night' });
    expect(identify('x-night')).toMatchObject({ grant: 'other' });
    expect(identify('x')).toMatchObject({ grant: 'single' });
    expect(identify('ops-day')).toBe(identify('ops-evening'));
  });

  it('that is not named is nobody', () => {
    const identify = clientIdentities({ scout: 'research', 'ops-*': 'operator' }, IDENTITIES);
    for (const id of ['', 'scouts', 'Scout', 'xops-1', 'ops', 'constructor', '__proto__', `!(x)${'y'.repeat(200)}`])
      expect(identify(id), id).toBeUndefined();
    expect(clientIdentities({}, IDENTITIES)('anybody')).toBeUndefined();
    expect(clientIdentities({ '*': 'gone' }, IDENTITIES)('anybody')).toBeUndefined();
  });

  it('can be the local user, where the operator says so', () => {
    expect(clientIdentities({ '*': 'local' }, IDENTITIES)('anybody')).toBe(LOCAL_IDENTITY);
  });
});
