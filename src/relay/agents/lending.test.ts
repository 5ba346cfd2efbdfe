import { describe, expect, it } from 'vitest';
import { fakeCall } from '../../../adapters/testing/call.ts';
import type { Member, View } from '../../federation/types.ts';
import { type Lending, lend } from './lending.ts';

const view = {
  resolve: (_kind: string, name: string) => (name.startsWith('docs__') ? {} : undefined),
} as unknown as View;

const memberAt = (url: string, takesKeys = true): Member =>
  ({ name: 'm', takesKeys: () => takesKeys, config: { target: { transport: 'http', url, headers: {} } } }) as never;

const keys = {
  lend: async () => ({ id: 'id', key: 'swb_lent_x', expiresAt: 1 }),
  end: async () => {},
};

const lentTo = (member: Member, more: Partial<Lending> = {}, wanted: unknown = { tools: ['docs__read'] }) =>
  lend(
    {
      keys,
      publicUrl: undefined,
      listening: () => ({ host: '127.0.0.1', port: 7300, path: '' }),
      maxMs: 1_000_000,
      ...more,
    },
    wanted,
    { call: fakeCall(), agent: { member, original: 'a' }, path: ['m/a@0'], view },
  );

const near = memberAt('http://localhost:4111');
const far = memberAt('https://agents.example');
const at = (host: string, path = ''): Partial<Lending> => ({ listening: () => ({ host, port: 7300, path }) });

describe('the address that comes with a lent key', () => {
  it.each<[string, Member, Partial<Lending>, string]>([
    ['the public one, whatever server', far, { publicUrl: 'https://gate.example/x' }, 'https://gate.example/x/mcp'],
    ['on this machine, the listening one', near, at('127.0.0.1'), 'http://127.0.0.1:7300/mcp'],
    ['with the path the gateway is mounted at', near, at('::1', '/gate'), 'http://[::1]:7300/gate/mcp'],
    ['on this machine, loopback for all interfaces', near, at('0.0.0.0'), 'http://127.0.0.1:7300/mcp'],
    ['elsewhere, that of an interface', far, at('192.168.1.5'), 'http://192.168.1.5:7300/mcp'],
  ])('is %s', async (_, member, more, url) => {
    expect((await lentTo(member, more)).url).toBe(url);
  });

  it.each<[string, Member, Partial<Lending>]>([
    ['the server is elsewhere and the gateway on loopback', far, at('127.0.0.1')],
    ['the server is elsewhere and the gateway on all interfaces', far, at('::')],
    ['the gateway does not listen', near, { listening: () => undefined }],
  ])('is wanting where %s, and nothing is lent', async (_, member, more) => {
    await expect(lentTo(member, more)).rejects.toMatchObject({
      code: 'SWB_NOT_SUPPORTED',
      message: expect.stringContaining('gateway.publicUrl'),
    });
  });
});

describe('lending', () => {
  it('is refused where the server has no place for a key', async () => {
    await expect(lentTo(memberAt('http://localhost:1', false))).rejects.toMatchObject({
      code: 'SWB_NOT_SUPPORTED',
      message: expect.stringContaining('has no place for a key'),
    });
  });

  it.each<[string, unknown]>([
    ['no tools', { tools: [] }],
    ['tools that are no texts', { tools: [1] }],
    ['a time that is none', { tools: ['docs__read'], ttl: 'long' }],
    ['a tool that the caller has not', { tools: ['mail__send'] }],
  ])('is refused with %s, as hooks may have written it', async (_, wanted) => {
    await expect(lentTo(near, {}, wanted)).rejects.toMatchObject({ code: 'SWB_INVALID_PARAMS' });
  });
});
