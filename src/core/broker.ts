/**
 * How the gateway logs in to an MQTT broker. Servers behind a broker are reached through it, so this stands on their
 * target, and credentials may give each identity a login of its own.
 * @module
 */

/**
 * What one connection shows the broker. Certificates and keys are PEM texts, or absolute paths of files with them, which
 * are read anew for each connection.
 */
export interface BrokerLogin {
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  /** Certificates of authorities the broker's own is checked against, in place of the system's. */
  readonly ca?: string | undefined;
  /** The client certificate and its private key. */
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
  readonly passphrase?: string | undefined;
  /** Undefined: one is made up for each connection. */
  readonly clientId?: string | undefined;
}

/** The revision of MQTT: `auto` is 5, and 3.1.1 where the broker does not know 5. */
export type MqttVersion = 'auto' | '5' | '3.1.1';

/** How a broker is connected to. The login is the gateway's own. */
export interface BrokerSettings extends BrokerLogin {
  readonly version: MqttVersion;
  /** Seconds without traffic after which the broker is asked for a sign of life. */
  readonly keepaliveSeconds: number;
  readonly logins?: CallerLogins | undefined;
}

/** Logins of callers. A caller without one shares the gateway's connection. */
export interface CallerLogins {
  /** By principal; they go before those of grants. */
  readonly principals: Readonly<Record<string, BrokerLogin>>;
  readonly grants: Readonly<Record<string, BrokerLogin>>;
  /** Calls of callers without a login are refused. */
  readonly required: boolean;
}

export const BROKER_DEFAULTS = { version: 'auto', keepaliveSeconds: 30 } as const satisfies BrokerSettings;

const PORTS: Readonly<Record<string, number>> = {
  'http:': 80,
  'https:': 443,
  'ws:': 80,
  'wss:': 443,
  'mqtt:': 1883,
  'mqtts:': 8883,
};

/** Schemes of a broker's address. */
export const BROKER_PROTOCOLS: ReadonlySet<string> = new Set(['mqtt:', 'mqtts:', 'ws:', 'wss:']);

/** The port a URL leads to, whether or not it names one. */
export const portOf = ({ port, protocol }: URL): number => (port === '' ? (PORTS[protocol] ?? 0) : Number(port));

/** Everything in these settings that must not be seen. */
export function brokerSecrets({ logins, ...own }: BrokerSettings): string[] {
  const all: BrokerLogin[] = [own, ...Object.values(logins?.principals ?? {}), ...Object.values(logins?.grants ?? {})];
  return all.flatMap(loginSecrets);
}

/** User names are words such as "gateway", and no secret. A path of a key is none either, but no client's business. */
export const loginSecrets = ({ password, key, passphrase }: BrokerLogin): string[] =>
  [password, key, passphrase].filter((value) => value !== undefined);
