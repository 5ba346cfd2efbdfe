// biome-ignore-all lint/suspicious/noTemplateCurlyInString: references in files look like template strings.
/** Servers behind an MQTT broker in the configuration: addresses, logins, and where secrets go. */
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { masking } from '../core/mask.ts';
import { describeServer, redact } from './redact.ts';
import { removeTemporaryFolders } from './testing/files.ts';
import { load, server, serverMistakes } from './testing/load.ts';

afterEach(removeTemporaryFolders);

const brokerOf = async (entry: object, env: Record<string, string> = {}) => {
  const { target } = await server(entry, env);
  if (target.transport !== 'mqtt') throw new Error(`its transport is ${target.transport}`);
  return target;
};

describe('the url of a broker', () => {
  it.each([
    ['mqtt://host', {}, 'mqtt://host'],
    ['mqtts://host:8884/', {}, 'mqtts://host:8884'],
    ['ws://host/mqtt?x=1', { type: 'mqtt' }, 'ws://host/mqtt?x=1'],
    ['wss://host/mqtt', { broker: {} }, 'wss://host/mqtt'],
  ])('%s with %j makes a target of transport mqtt', async (url, more, href) => {
    expect(await brokerOf({ url, ...more })).toEqual({
      transport: 'mqtt',
      url: href,
      headers: {},
      broker: { version: 'auto', keepaliveSeconds: 30 },
    });
  });

  it.each([
    [
      { url: 'tcp://h:1883', type: 'mqtt' },
      's.url: found a scheme of another library; write mqtt:// (TCP) or mqtts:// (TLS).',
    ],
    [
      { url: 'http://h', type: 'mqtt' },
      's.url: found no URL of an MQTT broker; allowed: mqtt://, mqtts://, ws:// or wss://.',
    ],
    [{ url: 'mqtt://h/gtm' }, 's.url: found a path or a query behind the address of an MQTT broker; it has none.'],
    [{ url: 'mqtt://h', type: 'sse' }, 's.type: found "sse"; allowed for a broker: mqtt.'],
    [
      { url: 'mqtt://u:p@h', broker: { username: 'u' } },
      's.url: found a user name or password in the URL and in broker; allowed: one place.',
    ],
    [{ url: 'mqtt://h', broker: { password: 'p' } }, 's.broker: found a password without a username.'],
    [{ url: 'mqtt://h', broker: { cert: 'c.pem' } }, 's.broker: found one of cert and key; allowed: both or neither.'],
    [
      { url: 'http://h', broker: {} },
      's.broker: found it beside no broker; allowed with a url that is mqtt://, mqtts://, ws:// or wss://.',
    ],
    [
      { url: 'mqtt://h', credentials: { grants: { scout: { password: 'x' } } } },
      's.credentials.grants.scout: found a password without a username.',
    ],
    [
      { url: 'mqtt://h', kind: 'mastra' },
      's.kind: found "mastra" for the url of a broker; its servers are reached by http or https.',
    ],
  ])('%j is a mistake', async (entry, line) => {
    expect(await serverMistakes(entry)).toContain(`mcpServers.${line}`);
  });

  it('may be missing a variable where the server is disabled', async () => {
    expect(await brokerOf({ url: 'mqtt://${HOST}', disabled: true })).toMatchObject({ url: 'mqtt://${HOST}' });
  });
});

describe('logins at a broker', () => {
  const entry = {
    url: 'mqtts://gateway:${GATEWAY_PASSWORD}@host',
    broker: { ca: 'ca.pem' },
    credentials: {
      grants: { scout: { username: 'scout', password: '${SCOUT_PASSWORD}' } },
      principals: { ada: { cert: '~/ada.pem', key: '-----BEGIN PRIVATE KEY-----\nabcdefgh' } },
      required: true,
    },
  };
  const env = { GATEWAY_PASSWORD: 'p%40ss-of-gateway', SCOUT_PASSWORD: 'pass-of-scout' };

  it('come from the URL, from broker and from credentials, with variables and paths', async () => {
    const { url, broker } = await brokerOf(entry, env);
    expect(url).toBe('mqtts://host');
    expect(broker).toMatchObject({
      username: 'gateway',
      password: 'p@ss-of-gateway',
      logins: { grants: { scout: { username: 'scout', password: 'pass-of-scout' } }, required: true },
    });
    expect(broker.ca).toMatch(/^\/.*\/ca\.pem$/);
    expect(broker.logins?.principals.ada?.cert).toBe(join(process.env.HOME ?? '', 'ada.pem'));
    expect(broker.logins?.principals.ada?.key).toMatch(/^-----BEGIN/);
  });

  it('are seen neither in the log nor in errors', async () => {
    const configured = await server(entry, env);
    const secrets = /p@ss-of-gateway|pass-of-scout|abcdefgh/;
    expect(JSON.stringify(describeServer(configured))).not.toMatch(secrets);
    expect(JSON.stringify(describeServer(configured))).toContain('mqtts://host');
    expect(JSON.stringify(redact(await load({ mcpServers: { s: entry } }, env)))).not.toMatch(secrets);
    const mask = masking(configured.target);
    expect(mask('bad login p@ss-of-gateway or pass-of-scout')).not.toMatch(secrets);
    const [line] = await serverMistakes({ ...entry, broker: { ca: 'ca.pem', username: 'twice' } }, env);
    expect(line).not.toMatch(secrets);
  });
});
