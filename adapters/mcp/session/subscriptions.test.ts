import { describe, expect, it } from 'vitest';
import { META } from '../../../src/wire/envelope.ts';
import { outline } from '../../../src/wire/json/outline.ts';
import { fakeCall, modernCaller } from '../../testing/call.ts';
import { startSession as start } from '../testing/session.ts';

const told = (method: string, subscriptionId: unknown) => ({
  method,
  params: { taskId: 't', _meta: { [META.subscriptionId]: subscriptionId } },
});

describe('a client’s own subscription, where all streams share one connection', () => {
  it('gets what carries its id, and the gateway’s own subscription gets the rest', () => {
    const { session, sent, changed, say } = start();
    const call = fakeCall({ caller: modernCaller() });
    void session.request('subscriptions/listen', { notifications: { taskIds: ['t'] } }, call);
    const id = sent[0]?.id;
    say(told('notifications/subscriptions/acknowledged', id));
    say(told('notifications/tasks', String(id)));
    say(told('notifications/tasks', 7));
    expect(call.notifications.map(({ method }) => method)).toEqual([
      'notifications/subscriptions/acknowledged',
      'notifications/tasks',
    ]);
    expect(changed).toMatchObject([{ params: { _meta: { [META.subscriptionId]: 7 } } }]);
  });

  it('is over when the server cancels it, and another request is not', async () => {
    const { session, sent, say, responses } = start();
    const listening = session.request('subscriptions/listen', {}, fakeCall({ caller: modernCaller() }));
    const running = session.request('tools/call', { name: 'x' }, fakeCall({ caller: modernCaller() }));
    for (const { id } of sent) say({ method: 'notifications/cancelled', params: { requestId: id } });
    await expect(listening).rejects.toMatchObject({ code: 'SWB_CANCELLED' });
    const frame = Buffer.from(JSON.stringify({ jsonrpc: '2.0', id: sent[1]?.id, result: {} }));
    responses[1]?.reply([frame], outline(frame));
    await expect(running).resolves.toHaveProperty('raw');
  });
});
