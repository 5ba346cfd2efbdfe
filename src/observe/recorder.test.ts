import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SwitchboardError } from '../core/errors.ts';
import { CHANNELS, type EventMap, type EventName } from './events.ts';
import { CallRecorder, type RecordedCall } from './recorder.ts';

const INSTANCE = 'recorder-under-test';

let recorder: CallRecorder;
beforeEach(() => {
  recorder = new CallRecorder({ instance: INSTANCE, shown: ({ name }) => `shown of ${name}`, lingerMs: 60_000 });
});
afterEach(() => recorder.close());

const tell = <N extends EventName>(name: N, event: Partial<EventMap[N]>, instance = INSTANCE): void =>
  CHANNELS[name].publish({ instance, ...event } as EventMap[N]);

const arrives = (call: number, method = 'tools/call'): void =>
  tell('request', { call, method, principal: 'ada', grant: 'ada', era: 'modern', endpoint: undefined });

const SUBJECT = { server: 'mail', section: 'tools', name: 'send', namespaced: 'mail__send' };
const concludes = (call: number, event: object = {}): void =>
  tell('concluded', {
    ...{ call, ...SUBJECT, policy: undefined, rule: undefined, shadow: undefined, errorCode: undefined },
    ...{ verdict: 'allow', outcome: 'ok', arguments: { to: 'bob' } },
    ...event,
  } as never);
const finishes = (call: number, error?: unknown): void =>
  tell('finished', { call, server: 'mail', durationMs: 12, queueMs: 3, error });

describe('the recorder of calls', () => {
  it('listens to nothing while nobody looks', () => {
    arrives(1);
    expect(recorder.recording).toBe(false);
    expect(recorder.list()).toEqual([]);
    expect(CHANNELS.request.hasSubscribers).toBe(false);
  });

  it('puts a call together from its events, and tells of each change', () => {
    const told: [version: number, outcome: string][] = [];
    recorder.follow(({ version, outcome }) => told.push([version, outcome]));
    arrives(1);
    tell('decision', { call: 1, ...SUBJECT, effect: 'allow', policy: 'gateway', rule: '/tools/send' });
    tell('queued', { call: 1, server: 'mail', waiting: 2 });
    tell('left', { call: 1, server: 'mail', method: 'tools/call', queueMs: 3 });
    tell('ask', { call: 1, server: 'mail', method: 'elicitation/create' });
    concludes(1);
    finishes(1);
    const [call] = recorder.list();
    expect(call).toMatchObject({
      ...{ call: 1, principal: 'ada', server: 'mail', name: 'send', namespaced: 'mail__send', decision: 'allow' },
      ...{ outcome: 'ok', durationMs: 12, queueMs: 3, shownArguments: undefined },
    });
    expect(call?.steps.map(({ what, detail }) => `${what}: ${detail}`)).toEqual([
      'arrived: tools/call',
      'decision: allow, by /tools/send of gateway',
      'queued: waits for a place at mail, 2 waiting',
      'left: sent to mail',
      'ask: mail asks: elicitation/create',
      'concluded: allow, ok',
      'finished: answered',
    ]);
    expect(told.map(([version]) => version)).toEqual([1, 2, 3, 4, 5, 6, 7]);
    expect(told.at(-1)).toEqual([7, 'ok']);
    expect(recorder.get(1)).toBe(call);
  });

  it('says whose a call was that could not reach a server of which nothing is known', () => {
    recorder.follow(() => {});
    arrives(1);
    const error = new SwitchboardError('SWB_UPSTREAM_UNAVAILABLE', 'Away.');
    tell('finished', { call: 1, server: undefined, about: 'gone', durationMs: 1, queueMs: 0, error });
    expect(recorder.get(1)).toMatchObject({ server: 'gone', outcome: 'error', errorCode: 'SWB_UPSTREAM_UNAVAILABLE' });
  });

  it('says how a call ended that was denied, and one that failed without a decision', () => {
    recorder.follow(() => {});
    arrives(1);
    const error = new SwitchboardError('SWB_DENIED', 'No.');
    concludes(1, {
      verdict: 'deny',
      outcome: 'denied',
      policy: 'gateway',
      rule: '/tools/send',
      errorCode: 'SWB_DENIED',
    });
    finishes(1, error);
    arrives(2);
    finishes(2, new SwitchboardError('SWB_UNKNOWN_TOOL', 'No such tool.'));
    expect(recorder.list()).toMatchObject([
      { outcome: 'denied', decision: 'deny', rule: '/tools/send', errorCode: 'SWB_DENIED' },
      { outcome: 'error', decision: undefined, errorCode: 'SWB_UNKNOWN_TOOL' },
    ]);
  });

  it('leaves out upkeep, notifications, other gateways, and calls whose beginning it has not seen', () => {
    recorder.follow(() => {});
    for (const method of ['ping', 'initialize', 'server/discover', 'notifications/cancelled']) arrives(1, method);
    tell('request', { call: 2, method: 'tools/call' }, 'another-gateway');
    finishes(3);
    expect(recorder.list()).toEqual([]);
  });

  it('keeps the last thousand, and a bounded number of steps of each', () => {
    recorder.follow(() => {});
    for (let call = 1; call <= 1_005; call++) arrives(call);
    expect(recorder.list()).toHaveLength(1_000);
    expect(recorder.list()[0]?.call).toBe(6);
    for (let n = 0; n < 100; n++) tell('ask', { call: 6, server: 'mail', method: 'roots/list' });
    expect(recorder.get(6)?.steps).toHaveLength(40);
  });

  it('keeps arguments only while that is switched on, and forgets them when it is switched off', () => {
    recorder.follow(() => {});
    arrives(1);
    concludes(1);
    recorder.recordValues(60_000);
    expect(recorder.valuesUntil).toBeGreaterThan(Date.now());
    arrives(2);
    concludes(2);
    const [without, kept] = recorder.list() as [RecordedCall, RecordedCall];
    expect([without.shownArguments, recorder.argumentsOf(without)]).toEqual([undefined, undefined]);
    expect([kept.shownArguments, recorder.argumentsOf(kept)]).toEqual(['shown of send', { to: 'bob' }]);
    recorder.recordValues(0);
    expect(recorder.valuesUntil).toBeUndefined();
    expect([kept.shownArguments, recorder.argumentsOf(kept)]).toEqual([undefined, undefined]);
  });

  it('goes on for a while after the last one who looked has left, then forgets what it cannot see end', async () => {
    const short = new CallRecorder({ instance: INSTANCE, shown: () => '', lingerMs: 1 });
    try {
      const leave = [short.follow(() => {}), short.follow(() => {})];
      arrives(1);
      arrives(2);
      finishes(1);
      leave[0]?.();
      expect(short.recording).toBe(true);
      leave[1]?.();
      await expect.poll(() => short.recording).toBe(false);
      expect(short.list().map(({ call }) => call)).toEqual([1]);
    } finally {
      short.close();
    }
    expect(CHANNELS.finished.hasSubscribers).toBe(false);
  });
});
