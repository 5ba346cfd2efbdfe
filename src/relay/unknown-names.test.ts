import { describe, expect, it } from 'vitest';
import { SwitchboardError, UpstreamError } from '../core/errors.ts';
import { SetFilter } from '../federation/testing/catalog-views.ts';
import { fakeFederation, fakeServer } from './testing/fakes.ts';
import { refuseAway, refuseUnlisted, unknownName, withRequestedUri } from './unknown-names.ts';

describe('the error of an unknown name', () => {
  it.each([
    ['tools', 'SWB_UNKNOWN_TOOL', "Unknown tool: 'asked'. List the tools to see what there is.", {}],
    ['prompts', 'SWB_UNKNOWN_PROMPT', "Unknown prompt: 'asked'. List the prompts to see what there is.", {}],
    [
      'resources',
      'SWB_UNKNOWN_RESOURCE',
      "Unknown resource: 'asked'. List the resources to see what there is.",
      { uri: 'asked' },
    ],
    ['agents', 'SWB_UNKNOWN_AGENT', "Unknown agent: 'asked'. List the agents to see what there is.", {}],
    ['methods', 'SWB_METHOD_NOT_FOUND', "Method not found: 'asked'.", {}],
  ] as const)('of %s is the same everywhere and has the spelling of the client', (section, code, message, data) => {
    expect(unknownName(section, 'asked')).toMatchObject({ code, message, data: { code, ...data } });
  });
});

const nothing = async (): Promise<never> => {
  throw new Error('no server is called');
};

function refusing(config = {}, filter = new SetFilter()) {
  const server = fakeServer('one', 'legacy', nothing, config);
  const federation = fakeFederation([server, fakeServer('two', 'legacy', nothing)]);
  const check =
    (name: string, view: string | undefined = undefined) =>
    () => {
      const endpoint = (view === undefined ? undefined : federation.view(view)) ?? federation.all;
      refuseAway(federation.members(), endpoint.restricted(filter), 'tools', name);
      refuseUnlisted(federation.members(), endpoint.restricted(filter), 'tools', name);
    };
  return { server, check };
}

const AWAY = expect.objectContaining({ code: 'SWB_UPSTREAM_UNAVAILABLE' });

describe('a name that no server lists', () => {
  it('is answered with why its server is away, when that was never seen', () => {
    const { server, check } = refusing();
    server.away = true;
    expect(check('one__echo')).toThrow(AWAY);
    expect(check('echo', 'one')).toThrow(AWAY);
  });

  it('stays unknown when it is another server’s, or no server’s', () => {
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

  it.each(['tools', 'agents'] as const)('is answered with that its server is still listing its %s', (listing) => {
    const { server, check } = refusing();
    server.member.isUnlisted = (kind) => kind === listing;
    expect(check('one__echo')).toThrow(`Server 'one' is connected, but its ${listing} are still being listed.`);
    expect(check('echo', 'one')).toThrow(AWAY);
    expect(check('two__echo')).not.toThrow();
    server.member.isUnlisted = () => false;
    expect(check('one__echo')).not.toThrow();
  });

  it('stays unknown where agents are no tools, whatever becomes of their list', () => {
    const { server, check } = refusing({ agentTools: false });
    server.member.isUnlisted = (kind) => kind === 'agents';
    expect(check('one__echo')).not.toThrow();
  });

  it('stays unknown when the caller may not know of its server', () => {
    const { server, check } = refusing({}, new SetFilter({ unreached: ['one'] }));
    server.away = true;
    expect(check('one__echo')).not.toThrow();
    expect(check('echo', 'one')).not.toThrow();
  });

  it('is matched with servers by their configured prefix', () => {
    const { server, check } = refusing({ namespace: 'uno' });
    server.away = true;
    expect(check('uno__echo')).toThrow(AWAY);
    expect(check('one__echo')).not.toThrow();
    const none = refusing({ namespace: false });
    none.server.away = true;
    expect(none.check('echo')).not.toThrow();
  });
});

describe('an error of resources/read', () => {
  const error = (code: number, data?: unknown) => new UpstreamError({ code, message: 'Resource not found', data });
  const requested = { uri: 'one+file:///a', original: 'file:///a', era: 'modern' as const };

  it('names the resource as the client did', () => {
    const named = withRequestedUri(error(-32602, { uri: 'file:///a', more: 1 }), requested);
    expect(named).toMatchObject({ message: 'Resource not found', data: { uri: 'one+file:///a', more: 1 } });
  });

  it.each([-32002, -32602])('names the resource for modern clients where the server did not (%i)', (code) => {
    expect(withRequestedUri(error(code), requested)).toMatchObject({ rpcCode: code, data: { uri: 'one+file:///a' } });
    const before = error(code);
    expect(withRequestedUri(before, { ...requested, era: 'legacy' })).toBe(before);
  });

  it.each([
    ['about another resource', error(-32602, { uri: 'file:///b' })],
    ['with data of another form', error(-32602, 'gone')],
    ['of another kind', error(-32603)],
    ['of the gateway', new SwitchboardError('SWB_CALL_TIMEOUT', 'Late.')],
  ])('%s stays as it is', (_what, before) => {
    expect(withRequestedUri(before, requested)).toBe(before);
  });
});
