import { describe, expect, it, vi } from 'vitest';
import { UpstreamError } from '../../core/errors.ts';
import { newReplicaId, routeOf } from '../../state/replica.ts';
import type { JsonObject } from '../../wire/jsonrpc.ts';
import { ownSealing } from './request-state.ts';
import { UrlConsent } from './url-consent.ts';

const bind = () => ({ principal: 'ada', digest: 'of the request' });
const able = { elicitation: { url: {} } };
const page = { mode: 'url', url: 'https://example.com', message: 'Sign in.', elicitationId: 'e', 'x/y': 1 };
const required = (data: unknown, code = -32042) => new UpstreamError({ code, message: 'First open a page.', data });

const round = (consent: UrlConsent): JsonObject => {
  const answer = consent.ask(required({ elicitations: [page, page] }), able, bind);
  return 'value' in answer ? answer.value : {};
};

describe('an error that names pages to open', () => {
  it('becomes input requests with all the server’s params, each under its own key', () => {
    expect(round(new UrlConsent(ownSealing()))).toEqual({
      resultType: 'input_required',
      inputRequests: {
        'elicitation-create-1': { method: 'elicitation/create', params: page },
        'elicitation-create-2': { method: 'elicitation/create', params: page },
      },
      requestState: expect.stringMatching(/^swbu1\./),
    });
  });

  it.each([
    ['another error', required({ elicitations: [page] }, -32603)],
    ['no pages', required({ elicitations: [] })],
    ['no data', required(undefined)],
    ['a page without an address', required({ elicitations: [page, { mode: 'url' }] })],
    ['more pages than a person would open', required({ elicitations: Array.from({ length: 33 }, () => page) })],
    ['an error of no server’s', new Error('broken')],
  ])('is passed on for %s', (_, error) => {
    expect(() => new UrlConsent(ownSealing()).ask(error, able, bind)).toThrow(error);
  });

  it('becomes an error that names the capability for a client that did not declare it', () => {
    for (const capabilities of [{}, { elicitation: {} }, { elicitation: { form: {} } }]) {
      expect(() => new UrlConsent(ownSealing()).ask(required({ elicitations: [page] }), capabilities, bind)).toThrow(
        expect.objectContaining({
          code: 'SWB_MISSING_CLIENT_CAPABILITY',
          data: expect.objectContaining({ requiredCapabilities: { elicitation: { url: {} } } }),
        }),
      );
    }
  });
});

describe('the retry of such a round', () => {
  it('is the request again, without the responses', () => {
    const consent = new UrlConsent(ownSealing());
    const { requestState } = round(consent);
    const params: JsonObject = { name: 'x', requestState, inputResponses: { a: { action: 'accept' } } };
    consent.admit(params, bind);
    expect(params).toEqual({ name: 'x' });
  });

  it('is refused when a person declined', () => {
    const consent = new UrlConsent(ownSealing());
    const { requestState } = round(consent);
    for (const action of ['decline', 'cancel']) {
      const params = { requestState, inputResponses: { a: { action: 'accept' }, b: { action } } };
      expect(() => consent.admit(params, bind)).toThrow(expect.objectContaining({ code: 'SWB_ASK_REFUSED' }));
    }
  });

  it('is refused with a state of another request, principal or gateway, or one that has expired', () => {
    const consent = new UrlConsent(ownSealing());
    const requestState = String(round(consent).requestState);
    const refused = expect.objectContaining({ code: 'SWB_INVALID_PARAMS' });
    const admit = (state: string, by = bind, at = consent) => at.admit({ requestState: state }, by);
    expect(() => admit(requestState, () => ({ ...bind(), digest: 'of another' }))).toThrow(refused);
    expect(() => admit(requestState, () => ({ ...bind(), principal: 'bob' }))).toThrow(refused);
    expect(() => admit(`${requestState}x`)).toThrow(refused);
    expect(() => admit(requestState, bind, new UrlConsent(ownSealing()))).toThrow(refused);
    vi.useFakeTimers({ now: Date.now() + 2 * 60 * 60_000 });
    try {
      expect(() => admit(requestState)).toThrow(refused);
    } finally {
      vi.useRealTimers();
    }
  });

  it('is accepted by any replica that has the secret', () => {
    const sealing = ownSealing();
    const params: JsonObject = { name: 'x', ...round(new UrlConsent(sealing)) };
    expect(routeOf(String(params.requestState))).toBe(sealing.replica);
    new UrlConsent({ ...sealing, replica: newReplicaId() }).admit(params, bind);
    expect(params).not.toHaveProperty('requestState');
  });

  it('is left unchanged with any other state', () => {
    const params = { requestState: 'theirs', inputResponses: {} };
    new UrlConsent(ownSealing()).admit(params, bind);
    expect(params).toEqual({ requestState: 'theirs', inputResponses: {} });
  });
});
