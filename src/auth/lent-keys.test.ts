import { describe, expect, it } from 'vitest';
import { recordingLog } from '../../adapters/testing/context.ts';
import { grantIdentity, type Identity, isSameIdentity } from '../core/identity.ts';
import { memoryState } from '../state/memory/memory-state.ts';
import { gatewayAuthenticator } from './authenticators.ts';
import { type AuthenticatorUnderTest, describeAuthenticator } from './cases.ts';
import { GrantKeys } from './grant-keys.ts';
import { newKey } from './key.ts';
import { withLentKeys } from './lent-authenticator.ts';
import { LentKeys, type LentKeysOptions, type Loan } from './lent-keys.ts';

const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
const ci = grantIdentity('ci');
const loan = (more: Partial<Loan> = {}): Loan => ({
  lender: ci,
  inProcess: false,
  to: 'm/agent',
  tools: ['docs__*'],
  ttlMs: 60_000,
  claims: {},
  ...more,
});

function keysOn(state = memoryState(recordingLog()), more: Partial<LentKeysOptions> = {}) {
  return new LentKeys({ state, log: recordingLog(), isValid: () => true, ...more });
}

describe('a lent key', () => {
  it('has its lender’s principal and grant, and says what it is for', async () => {
    const keys = keysOn();
    const { key, id } = await keys.lend(loan({ claims: { path: ['m/agent'] } }));
    expect(key).toMatch(/^swb_lent_[0-9a-f]{12}_[\w-]{43}$/);
    const identity = await keys.verify(key);
    expect(identity).toEqual({
      principal: 'ci',
      grant: 'ci',
      claims: { path: ['m/agent'] },
      lent: { id, to: 'm/agent', tools: [['docs__*']] },
    });
    expect(isSameIdentity(identity as Identity, ci)).toBe(false);
  });

  it('ends when it is ended, at its time, and with its lender', async () => {
    let now = 1_000_000;
    let isValid = true;
    const keys = keysOn(undefined, { now: () => now, isValid: () => isValid });
    const [ended, late, lent] = [await keys.lend(loan()), await keys.lend(loan()), await keys.lend(loan())];
    const identity = (await keys.verify(lent.key)) as Identity;
    await keys.end(ended.id);
    expect(await keys.verify(ended.key)).toBeUndefined();
    isValid = false;
    expect(keys.isLive(identity)).toBe(false);
    expect(await keys.verify(late.key)).toBeUndefined();
    isValid = true;
    now += 60_000;
    expect(await keys.verify(lent.key)).toBeUndefined();
    expect(keys.isLive(identity)).toBe(false);
  });

  it('is ended by the next process where its own ended without a word, unless its run goes on', async () => {
    const state = memoryState(recordingLog());
    const gone = keysOn(Object.assign(Object.create(state), { replica: 'gone' }));
    const [ofCall, ofRun] = [await gone.lend(loan()), await gone.lend(loan())];
    gone.close();
    const keys = keysOn(state);
    const own = await keys.lend(loan());
    await keys.endAbandoned(new Set([ofRun.id]));
    expect(await keys.verify(ofCall.key)).toBeUndefined();
    expect(await keys.verify(ofRun.key)).toMatchObject({ lent: { id: ofRun.id } });
    expect(await keys.verify(own.key)).toMatchObject({ lent: { id: own.id } });
  });

  it('is known to other replicas until it is ended, and kept as a hash', async () => {
    const state = memoryState(recordingLog());
    let told = 0;
    const [here, there] = [keysOn(state), keysOn(state, { onEnded: () => told++ })];
    const { key, id } = await here.lend(loan());
    const secret = key.slice(-43);
    expect(JSON.stringify(await state.kv.entries('lent-keys'))).not.toContain(secret);
    const identity = (await there.verify(key)) as Identity;
    expect(identity).toEqual(await here.verify(key));
    expect(await there.verify(key)).toBe(identity);
    expect(await there.verify(`${key.slice(0, -43)}${'A'.repeat(43)}`)).toBeUndefined();
    await here.end(id);
    expect([await here.verify(key), await there.verify(key), there.isLive(identity), told]).toEqual([
      undefined,
      undefined,
      false,
      1,
    ]);
    expect(await state.kv.entries('lent-keys')).toEqual([]);
  });

  it('of a token with scopes has them, and is known to the process that made it alone', async () => {
    const state = memoryState(recordingLog());
    const [here, there] = [keysOn(state), keysOn(state)];
    const scopes = { missing: () => [], canReach: () => true };
    const { key } = await here.lend(loan({ lender: { ...ci, scopes } }));
    expect((await here.verify(key))?.scopes).toBe(scopes);
    expect(await there.verify(key)).toBeUndefined();
  });

  it('that is lent on has both lists of tools, no more time, and ends with the first', async () => {
    const state = memoryState(recordingLog());
    const [here, there] = [keysOn(state), keysOn(state)];
    const first = await here.lend(loan({ ttlMs: 10_000 }));
    const holder = (await here.verify(first.key)) as Identity;
    const second = await here.lend(loan({ lender: holder, to: 'm/other', tools: ['docs__read', 'mail__send'] }));
    expect(second.expiresAt).toBe(first.expiresAt);
    const other = (await there.verify(second.key)) as Identity;
    expect(other.lent?.tools).toEqual([['docs__*'], ['docs__read', 'mail__send']]);
    await here.end(first.id);
    expect(await here.verify(second.key)).toBeUndefined();
    expect(await there.verify(second.key)).toBeUndefined();
  });

  it('cannot be made without bound', async () => {
    const keys = keysOn();
    for (let i = 0; i < 200; i++) await keys.lend(loan());
    await expect(keys.lend(loan())).rejects.toMatchObject({ code: 'SWB_QUEUE_FULL' });
    await expect(keys.lend(loan({ lender: grantIdentity('app') }))).resolves.toBeDefined();
  });
});

describeAuthenticator('keys of grants, and what they lent', (): AuthenticatorUnderTest => {
  const [own, app] = [newKey(), newKey()];
  const grants = [
    { name: 'ci', keys: [own.stored], expiresAt: undefined },
    { name: 'app', keys: [app.stored], expiresAt: undefined },
  ];
  const grantKeys = new GrantKeys({ grants });
  const auth = gatewayAuthenticator(undefined, grantKeys);
  const lent = keysOn(undefined, { isValid: (identity) => auth.isValid(identity) });
  return {
    auth: withLentKeys(auth, lent),
    accepted: [
      { headers: bearer(own.key), principal: 'ci', grant: 'ci' },
      { headers: bearer(app.key), principal: 'app', grant: 'app' },
    ],
    refused: [{}, bearer(newKey().key), bearer(newKey().key.replace('swb_', 'swb_lent_')), bearer('swb_lent_x')],
    revokeFirst: () => void grantKeys.replace({ grants: grants.slice(1) }),
  };
});

describe('the authenticator of a gateway that asks for no key', () => {
  it('lets no lent key in that has ended: it would open everything', async () => {
    const keys = keysOn();
    const auth = withLentKeys(gatewayAuthenticator(undefined), keys);
    const { key, id } = await keys.lend(loan());
    expect(await auth.authenticate({ headers: bearer(key) })).toMatchObject({ principal: 'ci' });
    const before = auth.version;
    await keys.end(id);
    expect(auth.version).not.toBe(before);
    await expect(async () => auth.authenticate({ headers: bearer(key) })).rejects.toMatchObject({
      code: 'SWB_UNAUTHENTICATED',
    });
  });
});
