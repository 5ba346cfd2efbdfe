import { describe, expect, it } from 'vitest';
import { recordingLog } from '../../../adapters/testing/context.ts';
import { GrantKeys } from '../../auth/grant-keys.ts';
import { newKey } from '../../auth/key.ts';
import { TOKEN_OPERATOR } from '../../auth/operators/operator.ts';
import { withChanges } from '../../cli/config-edit.ts';
import { readConfig } from '../../load-config.ts';
import { memoryState } from '../../state/memory/memory-state.ts';
import { type AddedJson, type GrantsJson, grantRoutes } from './grants.ts';
import { ReplicaActions } from './replica-actions.ts';
import type { AdminReply } from './route.ts';
import type { PageSources } from './sources.ts';

const FILE = '/nowhere/servers.json';

/** A gateway that reads its file at once. */
async function gateway(text: string, inFile = true) {
  let written = text;
  const read = async (of: string) => (await readConfig(of, FILE, { env: {} })).policy;
  let config = await read(text);
  const keys = new GrantKeys(config);
  const listeners = new Set<() => void>();
  const policy = {
    get grants() {
      return config.grants;
    },
    keys,
    onChanged(listener: () => void) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
  const configuration = {
    file: FILE,
    read: async () => written,
    edited: withChanges,
    check: read,
    async replace(_: string, after: string) {
      written = after;
      config = await read(after);
      keys.replace(config);
      for (const listener of listeners) listener();
    },
  };
  const log = recordingLog();
  const { replica, bus } = memoryState(log);
  const actions = new ReplicaActions({ replica, bus, token: 'the-admin-token', others: () => [], log });
  const pages = { policy, actions, needsKey: () => keys.required, configuration: inFile ? configuration : undefined };
  const routes = grantRoutes(pages as unknown as PageSources);
  const call = async (method: string, path: string, body: unknown = {}) => {
    const route = routes.find((each) => each.method === method && each.path === `/admin/api/grants${path}`);
    const request = {
      params: {},
      query: new URLSearchParams(),
      headers: {},
      operator: TOKEN_OPERATOR,
      url: '',
      from: undefined,
      body: Buffer.from(JSON.stringify(body)),
    };
    if (!route) throw new Error(`There is no ${method} at ${path}.`);
    const reply = (await route.handle(request)) as Extract<AdminReply, { json: object }>;
    return reply.json as AddedJson & GrantsJson;
  };
  return { call, keys, text: () => written };
}

describe('grants of the administration', () => {
  it('are made with a key that is in the reply alone, listed without it, rotated and revoked', async () => {
    const { call, keys, text } = await gateway('{ // mine\n "gateway": {} }');
    const made = await call('POST', '', { name: 'ci', servers: ['docs*'], expires: '7d' });
    expect(made).toMatchObject({ grant: 'ci', active: true, byDefault: 'deny', droppedKeyIds: [] });
    expect(keys.verify(made.key)).toBe('ci');
    expect(text()).toContain('// mine');
    expect(text()).not.toContain(made.key.slice(-43));
    const listed = await call('GET', '');
    expect(listed).toMatchObject({ editable: true, needsKey: true, total: 1 });
    expect(listed.grants).toEqual([
      {
        name: 'ci',
        servers: ['docs*'],
        policy: null,
        expires: expect.any(String),
        expired: false,
        keyIds: [made.keyId],
      },
    ]);
    expect(JSON.stringify(listed)).not.toContain('sha256:');
    const second = await call('POST', '', { name: 'ci', rotate: true });
    const third = await call('POST', '', { name: 'ci', rotate: true });
    expect(third.droppedKeyIds).toEqual([made.keyId]);
    expect([made, second, third].map(({ key }) => keys.verify(key))).toEqual([undefined, 'ci', 'ci']);
    expect(await call('POST', '/revoke', { name: 'ci' })).toMatchObject({ active: true, wasLast: true });
    expect(keys.verify(third.key)).toBeUndefined();
    expect(keys.required).toBe(true);
  });

  it.each([
    ['a name that is there', { name: 'ci' }, /already/],
    ['a rotation of none', { name: 'x', rotate: true }, /no grant of the name x/],
    ['the name of the local user', { name: 'local' }, /local/],
    ['a name of every object', { name: 'constructor', rotate: true }, /no grant/],
    ['no name', {}, /"name"/],
    ['servers that are no list', { name: 'x', servers: 'docs' }, /"servers"/],
    ['an end in the past', { name: 'x', expires: '2001-01-01' }, /past already/],
    ['an end that is no date', { name: 'x', expires: 'soon' }, /such as 2027-01-31/],
  ])('refuse %s and write nothing', async (_, body, message) => {
    const { call, text } = await gateway(JSON.stringify({ gateway: { grants: { ci: { key: newKey().stored } } } }));
    const before = text();
    await expect(call('POST', '', body)).rejects.toThrow(message);
    expect(text()).toBe(before);
  });

  it('are not made where the configuration is in no file', async () => {
    const { call } = await gateway('{}', false);
    expect(await call('GET', '')).toMatchObject({ editable: false, total: 0 });
    await expect(call('POST', '', { name: 'ci' })).rejects.toThrow(/in none/);
    await expect(call('POST', '/revoke', { name: 'ci' })).rejects.toThrow(/in none/);
  });
});
