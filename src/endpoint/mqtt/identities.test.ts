import { describe, expect, it } from 'vitest';
import { LOCAL_IDENTITY } from '../../core/identity.ts';
import { clientIdentities } from './identities.ts';

describe('a client id', () => {
  it('has the grant that is configured for it, spelled out before globs and globs in their order', () => {
    const identify = clientIdentities({ 'ops-*': 'operator', 'ops-night': 'night', '*-night': 'other', '?': 'single' });
    expect(identify('ops-day')).toMatchObject({ principal: 'operator', grant: 'operator' });
    expect(identify('ops-night')).toMatchObject({ grant: 'night' });
    expect(identify('x-night')).toMatchObject({ grant: 'other' });
    expect(identify('x')).toMatchObject({ grant: 'single' });
    expect(identify('ops-day')).toBe(identify('ops-evening'));
  });

  it('that is not named is nobody', () => {
    const identify = clientIdentities({ scout: 'research', 'ops-*': 'operator' });
    for (const id of ['', 'scouts', 'Scout', 'xops-1', 'ops', 'constructor', '__proto__', `!(x)${'y'.repeat(200)}`])
      expect(identify(id), id).toBeUndefined();
    expect(clientIdentities({})('anybody')).toBeUndefined();
  });

  it('can be the local user, where the operator says so', () => {
    expect(clientIdentities({ '*': 'local' })('anybody')).toBe(LOCAL_IDENTITY);
  });
});
