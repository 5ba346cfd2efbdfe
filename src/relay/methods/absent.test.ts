import { describe, expect, it } from 'vitest';
import { SetFilter } from '../../federation/testing/catalog-views.ts';
import { fakeCaller, fakeFederation, fakeServer, inbound } from '../testing/fakes.ts';
import { refuseAbsent } from './absent.ts';

const nothing = async (): Promise<never> => {
  throw new Error('nobody is called');
};

function refusing(config = {}, filter = new SetFilter()) {
  const server = fakeServer('one', 'legacy', nothing, config);
  const federation = fakeFederation([server, fakeServer('two', 'legacy', nothing)]);
  const check =
    (name: string, view: string | undefined = undefined) =>
    () =>
      refuseAbsent(
        inbound(
          ((view === undefined ? undefined : federation.view(view)) ?? federation.all).restricted(filter),
          fakeCaller('legacy'),
          'tools/call',
        ),
        { federation },
        'tools',
        name,
      );
  return { server, check };
}

const AWAY = expect.objectContaining({ code: 'SWB_UPSTREAM_UNAVAILABLE' });

describe('a name that nobody lists', () => {
  it('is answered with why its server is away, when that was never seen', () => {
    const { server, check } = refusing();
    server.away = true;
    expect(check('one__echo')).toThrow(AWAY);
    expect(check('echo', 'one')).toThrow(AWAY);
  });

  it('stays unknown when it is another server’s, or nobody’s', () => {
    const { server, check } = refusing();
    server.away = true;
    expect(check('two__echo')).not.toThrow();
    expect(check('one')).not.toThrow();
    expect(check('echo', 'two')).not.toThrow();
  });

  it('stays unknown when its server is there, or was', () => {
    const { server, check } = refusing();
    expect(check('one__echo')).not.toThrow();
    server.away = true;
    server.member.catalog = () => ({ entries: [{ key: 'other', value: { name: 'other' } }] });
    expect(check('one__echo')).not.toThrow();
  });

  it('stays unknown when the caller may not know of its server', () => {
    const { server, check } = refusing({}, new SetFilter({ unreached: ['one'] }));
    server.away = true;
    expect(check('one__echo')).not.toThrow();
    expect(check('echo', 'one')).not.toThrow();
  });

  it('goes by the configured prefix', () => {
    const { server, check } = refusing({ namespace: 'uno' });
    server.away = true;
    expect(check('uno__echo')).toThrow(AWAY);
    expect(check('one__echo')).not.toThrow();
    const none = refusing({ namespace: false });
    none.server.away = true;
    expect(none.check('echo')).not.toThrow();
  });
});
