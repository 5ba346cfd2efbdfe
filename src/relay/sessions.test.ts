import { afterEach, describe, expect, it, vi } from 'vitest';
import { SetFilter, ticks } from '../federation/testing/catalog-views.ts';
import { FakeServer, tool } from '../federation/testing/fakes.ts';
import { harness } from '../federation/testing/harness.ts';
import type { Federation, View } from '../federation/types.ts';
import type { Notification } from '../wire/jsonrpc.ts';
import { notification } from '../wire/jsonrpc.ts';
import { Relay } from './relay.ts';
import { ClientSessions } from './sessions.ts';
import { TaskOwners } from './tasks/task-owners.ts';
import { fakeCaller, fakeChannel, fakeFederation, fakeServer, inbound, silent } from './testing/fakes.ts';
import type { ClientSession, InFlight } from './types.ts';

const uncalled = async (): Promise<never> => {
  throw new Error('no server is called');
};

const listening = (view: View, key = 's1'): ClientSession & { received: Notification[] } => {
  const received: Notification[] = [];
  const caller = fakeCaller('legacy', { key, principal: 'ada' });
  return { id: key, view, caller, received, notify: (sent) => received.push(sent) };
};

const sessionsUnder = (federation: Federation, filter: SetFilter): ClientSessions =>
  new ClientSessions({
    federation,
    log: silent,
    taskOwners: new TaskOwners(),
    gate: { viewFor: (_, view) => view.restricted(filter) },
  });

describe('a session under a policy', () => {
  const { start } = harness();

  it('is notified of changes of its own lists only, and of those a policy changes', async () => {
    const [one, two] = [new FakeServer('a'), new FakeServer('b')];
    const federation = await start({ one, two });
    const filter = new SetFilter({ unreached: ['two'] });
    const sessions = sessionsUnder(federation, filter);
    const session = listening(federation.all);
    sessions.open(session);
    const fetches = two.lists.tools;
    two.catalogs.tools = { entries: [tool('c')] };
    two.changed('tools');
    await expect.poll(() => two.lists.tools).toBe(fetches + 1);
    await expect.poll(() => federation.all.resolve('tools', 'two__c')).toBeDefined();
    await ticks();
    expect(session.received).toEqual([]);
    filter.unreached.clear();
    filter.changed();
    await ticks();
    expect(session.received).toEqual([notification('notifications/tools/list_changed')]);
    sessions.close(session);
    filter.unreached.add('two');
    filter.changed();
    await ticks();
    expect(session.received).toHaveLength(1);
  });

  it('is notified of a resource while it may know it', () => {
    const server = fakeServer('one', 'legacy', uncalled);
    const federation = fakeFederation([server]);
    const filter = new SetFilter();
    const sessions = sessionsUnder(federation, filter);
    for (const view of [federation.all, federation.view('one') as View]) {
      const session = listening(view);
      sessions.open(session);
      const uri = view.exposeUri(server.member, 'x://y');
      sessions.subscribe(session, uri, server.member, 'x://y');
      server.touch('x://y');
      expect(session.received).toEqual([notification('notifications/resources/updated', { uri })]);
      filter.hidden.add('one/x://y');
      server.touch('x://y');
      filter.hidden.clear();
      filter.unreached.add('one');
      server.touch('x://y');
      expect(session.received).toHaveLength(1);
      filter.unreached.clear();
      server.touch('x://y');
      expect(session.received).toHaveLength(2);
      sessions.close(session);
    }
  });

  it('subscribes to no more than its own and its principal’s share, and costs other principals none of theirs', () => {
    const server = fakeServer('one', 'legacy', uncalled);
    const federation = fakeFederation([server]);
    const sessions = sessionsUnder(federation, new SetFilter());
    const opened = (principal: string) => {
      const session = listening(federation.all);
      Object.assign(session.caller, { principal });
      sessions.open(session);
      return session;
    };
    const subscribe = (session: ReturnType<typeof listening>, i: number): void =>
      sessions.subscribe(session, `x://${i}`, server.member, `x://${i}`);
    const greedy = Array.from({ length: 25 }, () => opened('greedy'));
    for (const session of greedy) for (let i = 0; i < 1_000; i++) subscribe(session, i);
    expect(() => subscribe(greedy[0] as never, 1_000)).toThrow('A session may hold 1000 subscriptions.');
    const more = opened('greedy');
    expect(() => subscribe(more, 0)).toThrow('This grant has 25000 subscriptions to resources.');
    for (let i = 0; i < 9; i++) subscribe(opened(`other ${i}`), 0);
    sessions.unsubscribe(greedy[0] as never, 'x://0');
    subscribe(more, 0);
    sessions.close(greedy[1] as never);
    for (let i = 1; i < 1_000; i++) subscribe(more, i);
  });

  it('receives no other notification of a server it may not know of', () => {
    const server = fakeServer('one', 'legacy', uncalled);
    const federation = fakeFederation([server]);
    const filter = new SetFilter();
    const sessions = sessionsUnder(federation, filter);
    const [merged, own] = [listening(federation.all), listening(federation.view('one') as View)];
    sessions.open(merged);
    sessions.open(own);
    const sent = notification('notifications/own', {});
    federation.announce(server.member, sent, 's1');
    expect([merged.received, own.received]).toEqual([[sent], [sent]]);
    filter.unreached.add('one');
    federation.announce(server.member, sent, 's1');
    federation.announce(server.member, sent);
    expect([merged.received, own.received]).toEqual([[sent], [sent]]);
  });
});

it('a notification of one caller visits the sessions of that caller only', () => {
  const server = fakeServer('one', 'legacy', uncalled);
  const federation = fakeFederation([server]);
  const viewFor = vi.fn((_: unknown, view: View) => view);
  const sessions = new ClientSessions({ federation, log: silent, taskOwners: new TaskOwners(), gate: { viewFor } });
  const open = Array.from({ length: 50 }, (_, i) => listening(federation.all, `s${i}`));
  for (const session of open) sessions.open(session);
  viewFor.mockClear();
  federation.announce(server.member, notification('notifications/own', {}), 's7');
  expect(viewFor).toHaveBeenCalledTimes(1);
  expect(open.filter(({ received }) => received.length > 0).map(({ id }) => id)).toEqual(['s7']);
  for (const session of open) sessions.close(session);
  federation.announce(server.member, notification('notifications/own', {}), 's7');
  expect(open.flatMap(({ received }) => received)).toHaveLength(1);
});

describe('a modern listener under a policy', () => {
  const running: InFlight[] = [];
  afterEach(() => {
    for (const each of running.splice(0)) {
      each.result.catch(() => {});
      each.cancel();
    }
  });

  it('gets an acknowledgment of what it may know, and notifications while it may', async () => {
    const [one, two] = [fakeServer('one', 'legacy', uncalled), fakeServer('two', 'legacy', uncalled)];
    const federation = fakeFederation([one, two]);
    const relay = new Relay({ federation, log: silent });
    const filter = new SetFilter({ unreached: ['two'] });
    const channel = fakeChannel();
    const params = { notifications: { resourceSubscriptions: ['one+x://y', 'two+x://y'] } };
    const view = federation.all.restricted(filter);
    running.push(relay.handle(inbound(view, fakeCaller('modern'), 'subscriptions/listen', params, channel)));
    await expect.poll(() => one.listening()).toEqual(['x://y']);
    expect(channel.sent[0]?.params).toMatchObject({ notifications: { resourceSubscriptions: ['one+x://y'] } });
    expect(two.listening()).toEqual([]);
    one.touch('x://y');
    filter.hidden.add('one/x://y');
    one.touch('x://y');
    expect(channel.sent.slice(1)).toMatchObject([{ params: { uri: 'one+x://y' } }]);
  });
});
