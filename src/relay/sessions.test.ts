import { afterEach, describe, expect, it } from 'vitest';
import { SetFilter, ticks } from '../federation/testing/catalog-views.ts';
import { FakeServer, tool } from '../federation/testing/fakes.ts';
import { harness } from '../federation/testing/harness.ts';
import type { View } from '../federation/types.ts';
import type { Notification } from '../wire/jsonrpc.ts';
import { notification } from '../wire/jsonrpc.ts';
import { createRelay } from './relay.ts';
import { ClientSessions } from './sessions.ts';
import { TaskLedger } from './tasks/task-owners.ts';
import { fakeCaller, fakeChannel, fakeFederation, fakeServer, inbound, silent } from './testing/fakes.ts';
import type { ClientSession, InFlight } from './types.ts';

const nobody = async (): Promise<never> => {
  throw new Error('nobody is called');
};

const hearing = (view: View, key = 's1'): ClientSession & { heard: Notification[] } => {
  const heard: Notification[] = [];
  const caller = fakeCaller('legacy', { key, principal: 'ada' });
  return { id: key, view, caller, heard, notify: (sent) => heard.push(sent) };
};

describe('a session under a policy', () => {
  const { start } = harness();

  it('hears of changes of its own lists only, and of those a policy changes', async () => {
    const [one, two] = [new FakeServer('a'), new FakeServer('b')];
    const federation = await start({ one, two });
    const filter = new SetFilter({ unreached: ['two'] });
    const sessions = new ClientSessions(federation, silent, new TaskLedger(), {
      viewOf: ({ view }) => view.restricted(filter),
      screen: undefined,
    });
    const session = hearing(federation.all);
    sessions.open(session);
    const fetches = two.lists.tools;
    two.catalogs.tools = { entries: [tool('c')] };
    two.changed('tools');
    await expect.poll(() => two.lists.tools).toBe(fetches + 1);
    await expect.poll(() => federation.all.resolve('tools', 'two__c')).toBeDefined();
    await ticks();
    expect(session.heard).toEqual([]);
    filter.unreached.clear();
    filter.changed();
    await ticks();
    expect(session.heard).toEqual([notification('notifications/tools/list_changed')]);
    sessions.close(session);
    filter.unreached.add('two');
    filter.changed();
    await ticks();
    expect(session.heard).toHaveLength(1);
  });

  it('hears of a resource as long as it may know it', () => {
    const server = fakeServer('one', 'legacy', nobody);
    const federation = fakeFederation([server]);
    const filter = new SetFilter();
    const sessions = new ClientSessions(federation, silent, new TaskLedger(), {
      viewOf: ({ view }) => view.restricted(filter),
      screen: undefined,
    });
    for (const view of [federation.all, federation.view('one') as View]) {
      const session = hearing(view);
      sessions.open(session);
      const uri = view.exposeUri(server.member, 'x://y');
      sessions.subscribe(session, uri, server.member, 'x://y');
      server.touch('x://y');
      expect(session.heard).toEqual([notification('notifications/resources/updated', { uri })]);
      filter.hidden.add('one/x://y');
      server.touch('x://y');
      filter.hidden.clear();
      filter.unreached.add('one');
      server.touch('x://y');
      expect(session.heard).toHaveLength(1);
      filter.unreached.clear();
      server.touch('x://y');
      expect(session.heard).toHaveLength(2);
      sessions.close(session);
    }
  });

  it('hears no other notification of a server it may not know of', () => {
    const server = fakeServer('one', 'legacy', nobody);
    const federation = fakeFederation([server]);
    const filter = new SetFilter();
    const sessions = new ClientSessions(federation, silent, new TaskLedger(), {
      viewOf: ({ view }) => view.restricted(filter),
      screen: undefined,
    });
    const [merged, own] = [hearing(federation.all), hearing(federation.view('one') as View)];
    sessions.open(merged);
    sessions.open(own);
    const sent = notification('notifications/own', {});
    federation.announce(server.member, sent, 's1');
    expect([merged.heard, own.heard]).toEqual([[sent], [sent]]);
    filter.unreached.add('one');
    federation.announce(server.member, sent, 's1');
    federation.announce(server.member, sent);
    expect([merged.heard, own.heard]).toEqual([[sent], [sent]]);
  });
});

describe('a modern listener under a policy', () => {
  const running: InFlight[] = [];
  afterEach(() => {
    for (const each of running.splice(0)) {
      each.answer.catch(() => {});
      each.cancel();
    }
  });

  it('is acknowledged what it may know, and hears of it as long as it may', async () => {
    const [one, two] = [fakeServer('one', 'legacy', nobody), fakeServer('two', 'legacy', nobody)];
    const federation = fakeFederation([one, two]);
    const relay = createRelay({ federation, log: silent });
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
