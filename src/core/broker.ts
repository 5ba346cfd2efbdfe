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
}

/** The revision of MQTT: `auto` is 5, and 3.1.1 where the broker does not know 5. */
export type MqttVersion = 'auto' | '5' | '3.1.1';

/** How a broker is connected to. */
export interface BrokerSettings extends BrokerLogin {
  /** Undefined: one is made up for each connection. */
  readonly clientId?: string | undefined;
  readonly version: MqttVersion;
  /** Seconds without traffic after which the broker is asked for a sign of life. */
  readonly keepaliveSeconds: number;
}

export const BROKER_DEFAULTS = { version: 'auto', keepaliveSeconds: 30 } as const satisfies BrokerSettings;

/** Schemes of a broker's address. */
export const BROKER_PROTOCOLS: ReadonlySet<string> = new Set(['mqtt:', 'mqtts:', 'ws:', 'wss:']);
