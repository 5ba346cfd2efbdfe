/**
 * The gateway on an MQTT broker, as `gateway.mqtt` configures it: the endpoint for clients and the export of tools. Each
 * has a connection of its own, since a connection has one will.
 * @module
 */
import type { MqttConfig } from './config/types.ts';
import { grantIdentity, type Identity, LOCAL_IDENTITY, LOCAL_PRINCIPAL } from './core/identity.ts';
import type { Log } from './core/log.ts';
import { exportTools, type ToolExport } from './endpoint/mqtt/export/serve.ts';
import { clientIdentities } from './endpoint/mqtt/identities.ts';
import { type MqttEndpoint, serveMqtt } from './endpoint/mqtt/serve.ts';
import type { View } from './federation/types.ts';
import type { EndpointRelay } from './relay/relay.ts';

export interface MqttParts {
  config: MqttConfig;
  relay: EndpointRelay;
  view: View;
  log: Log;
  limits: { maxSessions: number; sessionIdleMs: number; maxBodyBytes: number };
  /** Whether a client on the broker may still call as this identity. */
  isValid(identity: Identity): boolean;
}

export class GatewayMqtt {
  readonly #parts: MqttParts;
  readonly #identify: (clientId: string) => Identity | undefined;
  readonly #exported: Identity | undefined;
  /** Every identity that callers at the broker can have. */
  readonly #identities: ReadonlySet<Identity>;
  #endpoint: MqttEndpoint | undefined;
  #export: ToolExport | undefined;
  #started = false;

  constructor(parts: MqttParts) {
    this.#parts = parts;
    const { clients, export: exported } = parts.config;
    const identities = new Map([[LOCAL_PRINCIPAL, LOCAL_IDENTITY]]);
    for (const grant of [...Object.values(clients), ...(exported ? [exported.grant] : [])]) {
      if (!identities.has(grant)) identities.set(grant, grantIdentity(grant));
    }
    this.#identify = clientIdentities(clients, identities);
    this.#exported = exported && identities.get(exported.grant);
    this.#identities = new Set(identities.values());
  }

  /** Whether an identity is one that callers at the broker have: this very object. */
  has(identity: Identity): boolean {
    return this.#identities.has(identity);
  }

  /** Connects, now and whenever the connection is lost. Does not wait for the broker. */
  start(): void {
    if (this.#started) return;
    this.#started = true;
    const { config, relay, view, log, limits, isValid } = this.#parts;
    const { url, login, keepaliveSeconds } = config.broker;
    const broker = { url: new URL(url), login, keepaliveSeconds };
    const clients = Object.values(config.clients);
    if (clients.length > 0) {
      const { serverName, serverId, description } = config;
      const severalPrincipals = new Set(clients).size > 1;
      const own = { relay, view, log, broker, serverName, serverId, description, severalPrincipals, limits, isValid };
      this.#endpoint = serveMqtt({ ...own, identify: this.#identify });
    }
    if (config.export && this.#exported) {
      const { topicNamespace: namespace, serverName: server, clientId, tools } = config.export;
      const { maxBodyBytes } = limits;
      const own = { relay, view, log, namespace, server, tools, maxBodyBytes, identity: this.#exported };
      this.#export = exportTools({ ...own, isValid, broker: { ...broker, clientId } });
    }
  }

  /** Ends the sessions of identities for whom `isKept` is false. */
  revoke(isKept: (identity: Identity) => boolean): void {
    this.#endpoint?.revoke(isKept);
  }

  /** Bounded in time; never rejects. */
  async close(): Promise<void> {
    this.#started = true;
    await Promise.all([this.#endpoint?.close(), this.#export?.close()]);
  }
}
