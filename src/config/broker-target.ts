/**
 * Makes the target of a server behind an MQTT broker: its address, and the logins of the gateway and of callers.
 * @module
 */
import { isAbsolute, resolve } from 'node:path';
import type { Adapter, Target } from '../core/adapter.ts';
import { BROKER_DEFAULTS, BROKER_PROTOCOLS, type BrokerLogin } from '../core/broker.ts';
import { adapterOf } from '../core/kinds.ts';
import { expandHome } from './expand.ts';
import type { JsonPath } from './jsonc.ts';
import type { Findings } from './mistakes.ts';
import type { ServerEntry } from './schema/server-entry.ts';

/** Keys that only a broker has a use for. */
export const BROKER_KEYS = ['broker', 'credentials'] as const;

/** MQTT over WebSockets has the scheme of every WebSocket, so the entry has to say that it is MQTT. */
export function isBrokerUrl(
  url: string,
  type: ServerEntry['type'],
  entry: ServerEntry,
  adapters: readonly Adapter[],
): boolean {
  if (type === 'mqtt' || /^mqtts?:/i.test(url)) return true;
  if (!/^wss?:/i.test(url)) return false;
  const adapter = entry.kind === undefined ? undefined : adapterOf(adapters, entry.kind);
  return (
    BROKER_KEYS.some((key) => entry[key] !== undefined) || adapter?.transports.every((each) => each === 'mqtt') === true
  );
}

export interface BrokerPlace {
  /** Where the entry stands in the file, and where its address does. */
  path: JsonPath;
  at: JsonPath;
  /** Relative paths start here. */
  folder: string;
  /** A variable in the address is not set, which is fine where the server is disabled. */
  unresolved: boolean;
  headers: Record<string, string>;
  findings: Findings;
}

export function brokerTarget(text: string, entry: ServerEntry, place: BrokerPlace): Target {
  const { path, folder, headers, findings } = place;
  const { credentials, broker = { ...BROKER_DEFAULTS } } = entry;
  const { url, settings } = brokerAddress(text, broker, place);
  const isWebSocket = /^wss?:/i.test(url);
  if (!isWebSocket && Object.keys(headers).length > 0) {
    findings.warn([...path, 'headers'], 'ignored: MQTT has headers only over WebSockets');
  }
  const logins = credentials && {
    grants: loginsIn(credentials.grants, [...path, 'credentials', 'grants'], folder, findings),
    principals: loginsIn(credentials.principals, [...path, 'credentials', 'principals'], folder, findings),
    required: credentials.required,
  };
  return {
    transport: 'mqtt',
    url,
    headers: isWebSocket ? headers : {},
    broker: { ...settings, ...(logins ? { logins } : {}) },
  };
}

/** The address without user name and password, and the login with them; `broker` stands beside the address. */
export function brokerAddress<T extends BrokerLogin>(
  text: string,
  broker: T,
  { path, at, folder, unresolved, findings }: Omit<BrokerPlace, 'headers'>,
): { url: string; settings: T } {
  const url = unresolved ? undefined : parseBrokerUrl(text);
  if (typeof url === 'string') findings.mistake(at, url);
  const own = typeof url === 'object' ? withLoginOf(url, broker, at, findings) : broker;
  checkPairs(own, [...path, 'broker'], findings);
  return { url: typeof url === 'object' ? url.href : text, settings: withPaths(own, folder) };
}

/** The address of a broker, or a sentence part that says why the text is none. */
function parseBrokerUrl(text: string): URL | string {
  const url = URL.parse(text);
  if (url === null || !BROKER_PROTOCOLS.has(url.protocol) || url.hostname === '') {
    return /^(?:tcp|ssl|tls):\/\//i.test(text)
      ? 'found a scheme of another library; write mqtt:// (TCP) or mqtts:// (TLS)'
      : 'found no URL of an MQTT broker; allowed: mqtt://, mqtts://, ws:// or wss://';
  }
  const isMqtt = url.protocol === 'mqtt:' || url.protocol === 'mqtts:';
  if (isMqtt && (url.pathname.replace('/', '') !== '' || url.search !== '')) {
    return 'found a path or a query behind the address of an MQTT broker; it has none';
  }
  if (isMqtt) url.pathname = '';
  url.hash = '';
  return url;
}

/** Takes user name and password out of the address, where every other MQTT program reads them too. */
function withLoginOf<T extends BrokerLogin>(url: URL, broker: T, at: JsonPath, findings: Findings): T {
  if (url.username === '' && url.password === '') return broker;
  const [username, password] = [decoded(url.username), decoded(url.password)];
  if (username === undefined || password === undefined) {
    findings.mistake(
      at,
      'found a user name or password in the URL in which a "%" begins no escape; write it in broker',
    );
  } else if (broker.username !== undefined || broker.password !== undefined) {
    findings.mistake(at, 'found a user name or password in the URL and in broker; allowed: one place');
  }
  url.username = '';
  url.password = '';
  return { ...broker, ...(username ? { username } : {}), ...(password ? { password } : {}) };
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

function loginsIn(
  logins: Readonly<Record<string, BrokerLogin>>,
  path: JsonPath,
  folder: string,
  findings: Findings,
): Record<string, BrokerLogin> {
  const known: Record<string, BrokerLogin> = Object.create(null);
  for (const [name, login] of Object.entries(logins)) {
    checkPairs(login, [...path, name], findings);
    if (login.username === undefined && login.cert === undefined) {
      findings.mistake(
        [...path, name],
        'found a login without username and cert; the broker could not tell whose it is',
      );
    }
    known[name] = withPaths(login, folder);
  }
  return known;
}

function checkPairs({ cert, key, username, password }: BrokerLogin, path: JsonPath, findings: Findings): void {
  if ((cert === undefined) !== (key === undefined)) {
    findings.mistake(path, 'found one of cert and key; allowed: both or neither');
  }
  if (password !== undefined && username === undefined) {
    findings.mistake(path, 'found a password without a username');
  }
}

/** Paths start at the folder of the file. */
function withPaths<T extends BrokerLogin>(login: T, folder: string): T {
  const absolute = (value: string | undefined): string | undefined =>
    value === undefined || value.includes('-----BEGIN') || isAbsolute(value)
      ? value
      : resolve(folder, expandHome(value));
  const paths = Object.fromEntries(
    (['ca', 'cert', 'key'] as const).flatMap((name) => {
      const value = absolute(login[name]);
      return value === undefined ? [] : [[name, value]];
    }),
  );
  return { ...login, ...paths };
}
