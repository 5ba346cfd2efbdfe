import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type RecordingLog, recordingLog } from '../../../adapters/testing/context.ts';
import { type Operator, TOKEN_OPERATOR } from '../../auth/operators/operator.ts';
import { PassedOn, type PassedRequest } from './passed-on.ts';

const TOKEN = 'admin-token-of-the-operator';
const ADA: Operator = { principal: 'https://login.example#ada', name: 'ada', mayChange: false };
const BODY = Buffer.from('{"name":"docs"}');
const REQUEST: PassedRequest = {
  to: 'serving1',
  method: 'POST',
  path: '/admin/api/try?of=1',
  body: BODY,
  operator: ADA,
};

let log: RecordingLog;
let serving: PassedOn;
let sending: PassedOn;

beforeEach(() => {
  log = recordingLog();
  serving = new PassedOn({ token: TOKEN, replica: 'serving1', log });
  sending = new PassedOn({ token: TOKEN, replica: 'sending1', log });
});
afterEach(() => {
  vi.useRealTimers();
});

/** The request as it arrives at the other replica. */
const sent = (changes: Partial<PassedRequest> = {}, by = sending) => {
  const request = { ...REQUEST, ...changes };
  return { method: request.method, url: request.path, headers: by.headersFor(request) };
};

describe('a request that is passed on', () => {
  it('is from the operator whom the other replica let in, and has its own body', () => {
    const received = serving.receive(sent());
    expect(received.operator).toEqual(ADA);
    received.requireBody(BODY);
    expect(serving.receive(sent({ operator: TOKEN_OPERATOR })).operator).toBe(TOKEN_OPERATOR);
  });

  it('carries neither the admin token nor what is made of it alone', () => {
    const [one, two] = [sent(), sent()];
    expect(JSON.stringify([one, two])).not.toContain(TOKEN);
    expect(one.headers['x-switchboard-proof']).not.toBe(two.headers['x-switchboard-proof']);
  });
});

describe('headers of a request that was seen on its way', () => {
  it.each<[string, (seen: ReturnType<typeof sent>) => Parameters<PassedOn['receive']>[0]]>([
    ['at another address', (seen) => ({ ...seen, url: '/admin/api/grants' })],
    ['with another query', (seen) => ({ ...seen, url: '/admin/api/try?of=2' })],
    ['by another method', (seen) => ({ ...seen, method: 'GET' })],
    ['for another operator', (seen) => ({ ...seen, headers: { ...seen.headers, 'x-switchboard-operator': '' } })],
    [
      'without their proof',
      ({ headers: { 'x-switchboard-operator': who }, ...seen }) => ({
        ...seen,
        headers: { 'x-switchboard-operator': who },
      }),
    ],
    [
      'with the admin token of a guesser',
      (seen) => ({
        ...seen,
        headers: new PassedOn({ token: 'another-token-1234', replica: 'x', log }).headersFor(REQUEST),
      }),
    ],
    [
      'with another time',
      (seen) => ({
        ...seen,
        headers: {
          ...seen.headers,
          'x-switchboard-proof': seen.headers['x-switchboard-proof']?.replace(/ \d+ /, ` ${Date.now() + 1} `),
        },
      }),
    ],
  ])('prove nothing %s', (_how, change) => {
    expect(() => serving.receive(change(sent()))).toThrow(expect.objectContaining({ code: 'SWB_FORBIDDEN' }));
    expect(log.lines.at(-1)?.message).toContain('passed on was refused');
  });

  it('prove nothing with another body', () => {
    const received = serving.receive(sent());
    expect(() => received.requireBody(Buffer.from('{"name":"all"}'))).toThrow('its body is another one');
  });

  it('prove nothing a second time', () => {
    const seen = sent();
    serving.receive(seen);
    expect(() => serving.receive(seen)).toThrow('it has come before');
  });

  it('prove nothing at another replica', () => {
    const third = new PassedOn({ token: TOKEN, replica: 'thirdone', log });
    expect(() => third.receive(sent())).toThrow('not made with the admin token');
  });

  it('prove nothing a minute later, nor before their time', () => {
    vi.useFakeTimers({ now: 1_000_000, toFake: ['Date'] });
    const seen = sent();
    for (const at of [1_060_000, 940_000]) {
      vi.setSystemTime(at);
      expect(() => serving.receive(seen)).toThrow('within the last minute');
    }
    vi.setSystemTime(1_059_000);
    expect(serving.receive(seen).operator).toEqual(ADA);
  });
});
