/** Connections of callers with logins of their own: how many there are, and when they are opened and closed. */
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { BrokerLogin } from '../../src/core/broker.ts';
import { SwitchboardError } from '../../src/core/errors.ts';
import { identityOf } from '../../src/core/identity.ts';
import type { Inbox } from './inbox.ts';
import { LoginConnections } from './logins.ts';

const ada = identityOf('ada');
const lost = new SwitchboardError('SWB_UPSTREAM_UNAVAILABLE', 'lost');

/** Stands in for an inbox: this is about its connection alone. */
class Opened {
  readonly login: BrokerLogin;
  readonly lose: () => void;
  size = 0;
  isOpen = true;
  closed = 0;
  failures: unknown[] = [];
  readonly connection: { readonly isOpen: boolean; close(): Promise<void> };

  constructor(login: BrokerLogin, onLost: (reason: SwitchboardError) => void) {
    this.login = login;
    const opened = this;
    this.connection = {
      get isOpen() {
        return opened.isOpen;
      },
      async close() {
        opened.isOpen = false;
        opened.closed++;
      },
    };
    this.lose = () => {
      this.isOpen = false;
      onLost(lost);
    };
  }

  fail(reason: unknown): void {
    this.failures.push(reason);
  }
}

const make = (max = 3) => {
  const opened: Opened[] = [];
  let refusal: Error | undefined;
  let attempts = 0;
  const connections = new LoginConnections({
    server: 's',
    max,
    open: async (login, _identity, onLost) => {
      attempts++;
      if (refusal) throw refusal;
      const inbox = new Opened(login, onLost);
      opened.push(inbox);
      return inbox as unknown as Inbox;
    },
  });
  return {
    connections,
    opened,
    attempts: () => attempts,
    refuse: (error: Error | undefined) => {
      refusal = error;
    },
  };
};

describe('connections of logins', () => {
  afterEach(() => {
    vi.useRealTimers();
  });

  it('are one for each login, however many calls wait for it', async () => {
    const { connections, opened } = make();
    const [one, two] = [{ username: 'one' }, { username: 'two' }];
    const inboxes = await Promise.all([one, one, two, one].map((login) => connections.inboxFor(login, ada)));
    expect(opened).toHaveLength(2);
    expect(inboxes[0]).toBe(inboxes[3]);
    expect(connections.inboxFor(one, ada)).toBe(inboxes[0]);
    await connections.close();
    expect(opened.map(({ closed }) => closed)).toEqual([1, 1]);
  });

  it('make room by closing the one that was idle longest, and refuse where all are in use', async () => {
    const { connections, opened } = make(2);
    const [one, two, three] = [{ username: 'one' }, { username: 'two' }, { username: 'three' }];
    await connections.inboxFor(one, ada);
    await connections.inboxFor(two, ada);
    const [first, second] = opened as [Opened, Opened];
    first.size = 1;
    await connections.inboxFor(three, ada);
    expect([first.closed, second.closed]).toEqual([0, 1]);
    (opened[2] as Opened).size = 1;
    expect(() => connections.inboxFor(two, ada)).toThrow(expect.objectContaining({ code: 'SWB_TOO_MANY_SESSIONS' }));
    expect(connections.size).toBe(2);
    await connections.close();
  });

  it('are closed when they were idle for ten minutes, and not while a call runs', async () => {
    vi.useFakeTimers();
    const { connections, opened } = make();
    await connections.inboxFor({ username: 'idle' }, ada);
    await connections.inboxFor({ username: 'busy' }, ada);
    const [idle, busy] = opened as [Opened, Opened];
    busy.size = 1;
    await vi.advanceTimersByTimeAsync(9 * 60_000);
    expect(idle.closed).toBe(0);
    await vi.advanceTimersByTimeAsync(2 * 60_000);
    expect([idle.closed, busy.closed]).toEqual([1, 0]);
    expect([...connections.inboxes()]).toEqual([busy]);
    await connections.close();
  });

  it('that are lost fail their calls, and are opened anew for the next one', async () => {
    const { connections, opened } = make();
    const login = { username: 'one' };
    await connections.inboxFor(login, ada);
    opened[0]?.lose();
    expect(opened[0]?.failures).toEqual([lost]);
    expect(await connections.inboxFor(login, ada)).toBe(opened[1]);
    await connections.close();
  });

  it('that cannot be opened are not tried again at once', async () => {
    vi.useFakeTimers();
    const { connections, attempts, refuse } = make();
    const login = { username: 'one' };
    const refused = new SwitchboardError('SWB_UPSTREAM_AUTH', 'no');
    refuse(refused);
    for (let n = 0; n < 5; n++) await expect(connections.inboxFor(login, ada)).rejects.toBe(refused);
    expect(attempts()).toBe(1);
    refuse(undefined);
    await vi.advanceTimersByTimeAsync(1_500);
    await connections.inboxFor(login, ada);
    expect(attempts()).toBe(2);
    await connections.close();
  });

  it('are closed when they open after the end', async () => {
    const { connections, opened } = make();
    const opening = Promise.resolve(connections.inboxFor({ username: 'late' }, ada));
    const failed = expect(opening).rejects.toMatchObject({ code: 'SWB_UPSTREAM_UNAVAILABLE' });
    await connections.close();
    await failed;
    expect(opened[0]?.closed).toBe(1);
  });
});
