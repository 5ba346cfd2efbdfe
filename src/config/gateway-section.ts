/**
 * Turns the checked `gateway` section into a {@link GatewayConfig}.
 * @module
 */
import { isIP } from 'node:net';
import { resolve } from 'node:path';
import { adminConfig } from './admin-section.ts';
import { authConfig } from './auth-section.ts';
import { expandHome } from './expand.ts';
import { headerNameProblem } from './headers.ts';
import type { JsonPath } from './jsonc.ts';
import type { Findings } from './mistakes.ts';
import { mqttConfig } from './mqtt-section.ts';
import { GATEWAY_DEFAULTS, type GatewayEntry } from './schema/gateway-section.ts';
import { metricsConfig, telemetryConfig } from './telemetry-section.ts';
import type { GatewayConfig } from './types.ts';
import { isLoopbackHost } from './urls.ts';

/** Values of the command line, which win over the file. */
export interface Overrides {
  host?: string;
  port?: number;
  token?: string;
  allowUnauthenticated?: boolean;
  /** `SWITCHBOARD_VAULT_KEY`. */
  vaultSecret?: string | undefined;
  logLevel?: string;
}

const BASE: JsonPath = ['gateway'];
const HOST_NAME =
  /^(?=.{1,253}$)[A-Za-z0-9_](?:[A-Za-z0-9_-]*[A-Za-z0-9_])?(?:\.[A-Za-z0-9_](?:[A-Za-z0-9_-]*[A-Za-z0-9_])?)*$/;

/**
 * `folder` is the file's; undefined when there is no file, and then nothing is kept on disk unless a folder is named.
 * `hasKeys`: clients need a key even where there is no token. `usesAgentServers`: `AGENT_SERVERS` configures servers.
 */
export function gatewayConfig(
  entry: GatewayEntry,
  overrides: Overrides,
  folder: string | undefined,
  { hasKeys, usesAgentServers }: { hasKeys: boolean; usesAgentServers: boolean },
  findings: Findings,
): GatewayConfig {
  const host = bareHost(overrides.host ?? entry.host);
  if (!isHost(host)) findings.mistake([...BASE, 'host'], 'found no host; allowed: an IP address or a host name');
  const token = overrides.token ?? entry.token;
  const asksForTokens = (entry.auth?.issuers.length ?? 0) > 0 || entry.auth?.bridge !== undefined;
  const allowUnauthenticated = overrides.allowUnauthenticated ?? entry.allowUnauthenticated;
  if (!isLoopbackHost(host) && token === undefined && !hasKeys && !asksForTokens) {
    // Listening refuses what is unsafe; commands that do not listen may run.
    findings.warn(
      [...BASE, 'host'],
      allowUnauthenticated
        ? `whoever reaches ${host} may use every server, without authentication`
        : `${host} lets other machines in, and there is no token, so serve refuses to listen; set gateway.token, give out keys, or say ` +
            '--allow-unauthenticated (gateway.allowUnauthenticated) if whoever reaches it may use every server',
    );
  }
  return {
    host,
    port: overrides.port ?? entry.port,
    token,
    keyHeaders: checkKeyHeaders(entry.keyHeaders, findings),
    auth: entry.auth && authConfig(entry.auth, entry.publicUrl, findings),
    admin: entry.admin && adminConfig(entry.admin, entry, findings),
    allowUnauthenticated,
    allowedHosts: checkHosts(entry.allowedHosts, [...BASE, 'allowedHosts'], findings),
    allowedOrigins: checkOrigins(entry.allowedOrigins, findings),
    stateDir: stateDirOf(entry.stateDir, folder),
    state: entry.state,
    redis: entry.redis,
    replica: entry.replica,
    ...vaultOf(entry.vault?.keyFile, overrides.vaultSecret, folder),
    firstList: entry.firstList,
    publicUrl: entry.publicUrl?.replace(/\/+$/, ''),
    agentProxy: entry.agentProxy ?? usesAgentServers,
    connect: {
      ...entry.connect,
      allowPrivate: checkHosts(entry.connect.allowPrivate, [...BASE, 'connect', 'allowPrivate'], findings, '*'),
    },
    agents: { ...entry.agents, pushNotifications: pushConfig(entry.agents.pushNotifications, findings) },
    mqtt: entry.mqtt && mqttConfig(entry.mqtt, folder ?? process.cwd(), findings),
    metrics: entry.metrics && metricsConfig(entry.metrics, isHost, findings),
    telemetry: entry.telemetry && telemetryConfig(entry.telemetry, findings),
    limits: entry.limits,
    logLevel: overrides.logLevel ?? entry.logLevel,
  };
}

function vaultOf(
  file: string | undefined,
  secret: string | undefined,
  folder = process.cwd(),
): Pick<GatewayConfig, 'vault'> {
  const keyFile = file === undefined ? undefined : resolve(folder, expandHome(file));
  if (keyFile === undefined && secret === undefined) return {};
  return { vault: { ...(secret === undefined ? {} : { secret }), ...(keyFile === undefined ? {} : { keyFile }) } };
}

function stateDirOf(stateDir: string | false, folder: string | undefined): string | undefined {
  if (stateDir === false) return undefined;
  // The default is a folder beside the file; without a file there is no such place.
  if (folder === undefined) return stateDir === GATEWAY_DEFAULTS.stateDir ? undefined : resolve(expandHome(stateDir));
  return resolve(folder, expandHome(stateDir));
}

const bareHost = (host: string): string => host.replace(/^\[(.*)\]$/, '$1');

const isHost = (host: string): boolean => isIP(host) !== 0 || HOST_NAME.test(host);

/** `host` or `host:port`, lower-case; an IPv6 address with a port stands in brackets. */
function checkHosts(hosts: readonly string[], path: JsonPath, findings: Findings, wildcard?: string): string[] {
  return hosts.map((text, index) => {
    const [, host = text, port] = /^(\[[^\]]*\]|[^:]*)(?::(\d{1,5}))?$/.exec(text) ?? [];
    const isFine = text === wildcard || (isHost(bareHost(host)) && Number(port ?? 0) <= 65_535);
    if (!isFine) {
      findings.mistake(
        [...path, index],
        `found ${JSON.stringify(text)}; allowed: a host or host:port, without a scheme`,
      );
    }
    return text.toLowerCase();
  });
}

/** Headers that mean something else to the endpoint, or that browsers add by themselves. */
const NO_KEY_HEADERS =
  /^(?:authorization|proxy-.*|cookie|host|origin|referer|sec-.*|user-agent|accept.*|content-.*|last-event-id|mcp-.*|x-forwarded-.*|forwarded)$/;

function checkKeyHeaders(names: readonly string[], findings: Findings): string[] {
  return names.map((name, index) => {
    const lower = name.toLowerCase();
    if (NO_KEY_HEADERS.test(lower) || headerNameProblem(name) !== undefined) {
      findings.mistake(
        ['gateway', 'keyHeaders', index],
        `found ${JSON.stringify(name)}; allowed: a header for keys, such as "x-api-key" (Authorization is always read)`,
      );
    }
    return lower;
  });
}

function checkOrigins(origins: readonly string[], findings: Findings): string[] {
  return origins.map((text, index) => {
    // Editors' web views have schemes of their own, which URL gives no origin for.
    const match = /^([a-z][a-z0-9+.-]*:\/\/[^/?#\s]+)\/?$/i.exec(text);
    if (match === null) {
      findings.mistake(
        ['gateway', 'allowedOrigins', index],
        `found ${JSON.stringify(text)}; allowed: an origin such as https://app.example, without a path`,
      );
      return text;
    }
    const origin = URL.parse(text)?.origin;
    return origin === undefined || origin === 'null' ? (match[1] ?? text) : origin;
  });
}

/** Requests with credentials of clients go there: over https, or to this machine. */
function pushConfig(
  push: GatewayEntry['agents']['pushNotifications'],
  findings: Findings,
): { origins: string[] } | undefined {
  return (
    push && {
      origins: push.origins.map((text, index) => {
        const url = URL.parse(text);
        const isOrigin = url !== null && (url.href === `${url.origin}/` || url.href === url.origin);
        const isSafe = url?.protocol === 'https:' || (url?.protocol === 'http:' && isLoopbackHost(url.hostname));
        if (isOrigin && isSafe) return url.origin;
        findings.mistake(
          ['gateway', 'agents', 'pushNotifications', 'origins', index],
          `found ${isOrigin ? JSON.stringify(text) : 'no origin'}; allowed: an origin such as https://hooks.example, or http on loopback, without a path`,
        );
        return text;
      }),
    }
  );
}
