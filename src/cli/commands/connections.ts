/**
 * `switchboard connections list|connect|revoke`: logins of people to servers. Asks the gateway that runs; where none does, opens
 * its state, and for `connect` serves the page of the login until that has ended.
 * @module
 */
import { setTimeout as after } from 'node:timers/promises';
import { GATEWAY_IDENTITY } from '../../core/credentials.ts';
import { within } from '../../core/deadline.ts';
import { SwitchboardError } from '../../core/errors.ts';
import { LOCAL_PRINCIPAL } from '../../core/identity.ts';
import { type ConnectionJson, connectionJson, openPage, type PageJson } from '../../endpoint/admin/connections.ts';
import { isLoopback } from '../../endpoint/http/guard.ts';
import type { InternalGateway, OpenGateway } from '../../gateway-internal.ts';
import type { LoadedConfig } from '../../load-config.ts';
import { createLog } from '../../observe/log.ts';
import { type AdminClient, adminClient } from '../admin-client.ts';
import { EXIT, type ExitCode, UsageError } from '../exit.ts';
import { table } from '../format/table.ts';
import { oneLine } from '../format/text.ts';
import type { Io } from '../io.ts';
import { createOutput, type Output } from '../output.ts';
import { findRunning } from '../running-gateway.ts';
import { type GlobalOptions, interruptible, loadForRunning } from '../session.ts';
import { inWords } from './approvals.ts';

export interface ConnectionsOptions extends GlobalOptions {
  url?: string;
  grant?: string;
  principal?: string;
  /** False for `--no-wait`. */
  wait?: boolean;
}

type Connections = Pick<AdminClient, 'connections' | 'connect' | 'pageState' | 'revoke'>;

interface Context {
  connections: Connections;
  out: Output;
  options: ConnectionsOptions;
  signal: AbortSignal;
  /** This process serves the page. */
  isOwn: boolean;
}

/** How often the page is looked at while it is waited for. */
const LOOK_MS = 500;
/** How long a browser may take from the authorization server's redirect to the page that says that it went well. */
const SHOWN_MS = 5_000;

export const listConnections = (options: ConnectionsOptions, io: Io, openGateway: OpenGateway): Promise<ExitCode> =>
  withConnections(options, io, openGateway, undefined, async ({ connections, out }) => {
    const found = await connections.connections(options.principal);
    if (options.json) out.json({ connections: found });
    else if (found.length === 0) out.print('Nobody has logged in to a server.');
    else out.print(table(['SERVER', 'WHO', 'STATE', 'SINCE', 'SCOPES', 'ISSUER'], found.map(row), out.width));
    return EXIT.ok;
  });

const row = ({ server, principal, state, since, scopes, issuer }: ConnectionJson): string[] =>
  [server, principal, state, inWords(since), scopes.join(' ') || '-', issuer].map(oneLine);

export const connectServer = (
  server: string,
  options: ConnectionsOptions,
  io: Io,
  openGateway: OpenGateway,
): Promise<ExitCode> =>
  withConnections(options, io, openGateway, server, async ({ connections, out, signal, isOwn }) => {
    if (isOwn && options.wait === false) {
      throw new UsageError('--no-wait needs a gateway that runs: without one this command serves the page itself.');
    }
    const page = await connections.connect(server, options);
    if (options.json) out.json(page);
    else out.print(pageLines(page));
    if (options.wait === false) return EXIT.ok;
    out.note(out.paintNote('dim', 'Waiting for the login (Ctrl+C ends the waiting).'));
    const state = await ended(connections, page, signal);
    if (state !== 'connected') {
      throw new SwitchboardError('SWB_LOGIN_FAILED', 'The page has expired, or was closed after too many wrong codes.');
    }
    out.note(`Connected: ${whose(page.principal)} may use ${oneLine(server)}.`);
    return EXIT.ok;
  });

function pageLines({ url, code, principal, server, expiresAt }: PageJson): string[] {
  return [
    `To log ${whose(principal)} in to ${oneLine(server)}, open`,
    `  ${url}`,
    `and type the code ${code} there. It expires ${inWords(expiresAt)}.`,
  ];
}

function whose(principal: string): string {
  if (principal === LOCAL_PRINCIPAL) return 'the local user';
  return principal === GATEWAY_IDENTITY.principal ? 'everybody' : oneLine(principal);
}

/**
 * Waits for the person, who may take as long as the page is valid. A look that the gateway does not answer (it is busy, or is started
 * again) says nothing about the page: the next one may.
 */
async function ended(connections: Connections, { id, expiresAt }: PageJson, signal: AbortSignal): Promise<string> {
  const end = Date.parse(expiresAt);
  for (;;) {
    try {
      const state = await connections.pageState(id);
      if (state !== 'waiting') return state;
    } catch (error) {
      const isAway = error instanceof SwitchboardError && error.code === 'SWB_CONNECT_FAILED';
      if (!isAway || Date.now() >= end) throw error;
    }
    await after(LOOK_MS, undefined, { signal });
  }
}

export const revokeConnection = (
  server: string,
  options: ConnectionsOptions,
  io: Io,
  openGateway: OpenGateway,
): Promise<ExitCode> =>
  withConnections(options, io, openGateway, server, async ({ connections, out }) => {
    const { grant, principal } = options;
    if (grant !== undefined && principal !== undefined) throw new UsageError('--grant or --principal, not both.');
    const own = principal ?? grant;
    // Without a word about whose, it is the local user's, or everybody's.
    const candidates = own === undefined ? [LOCAL_PRINCIPAL, GATEWAY_IDENTITY.principal] : [own];
    const revoked: string[] = [];
    for (const each of candidates) if (await connections.revoke(each, server)) revoked.push(each);
    if (options.json) out.json({ server, revoked });
    else if (revoked.length === 0) out.note(`There is no such login to ${oneLine(server)}.`);
    else out.print(`Revoked: ${revoked.map(whose).join(' and ')} cannot use ${oneLine(server)} until the next login.`);
    return revoked.length === 0 ? EXIT.failed : EXIT.ok;
  });

/** `server`: the only one that a gateway of the command's own needs. */
async function withConnections(
  options: ConnectionsOptions,
  io: Io,
  openGateway: OpenGateway,
  server: string | undefined,
  work: (context: Context) => Promise<ExitCode>,
): Promise<ExitCode> {
  const out = createOutput(io, options.color);
  const interrupt = interruptible(io);
  const { signal } = interrupt;
  try {
    const config = await loadForRunning(options, io);
    config.warnings.forEach(out.warn);
    const running = await findRunning(config);
    const url = options.url ?? (running && new URL(running.url).origin);
    if (url !== undefined) {
      return await work({ connections: await adminClient(config, url, signal), out, options, signal, isOwn: false });
    }
    await using gateway = await openOwn(config, server, openGateway);
    return await work({ connections: ownConnections(gateway, config), out, options, signal, isOwn: true });
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    throw error;
  } finally {
    interrupt.stop();
  }
}

/** A gateway on the same state, without clients, and with the one server at most. */
function openOwn(config: LoadedConfig, server: string | undefined, openGateway: OpenGateway): Promise<InternalGateway> {
  if (config.gateway.stateDir === undefined && config.gateway.state === undefined) {
    throw new SwitchboardError(
      'SWB_CONFIG',
      'No gateway runs for this configuration, and logins are kept nowhere without a state folder (gateway.stateDir).',
    );
  }
  const servers = config.servers.filter(({ name }) => name === server);
  // The page is for a browser of this machine, unless there is an address for others.
  const { host, publicUrl } = config.gateway;
  const isHere = publicUrl === undefined && !isLoopback(host);
  const gateway = { ...config.gateway, mqtt: undefined, ...(isHere && { host: '127.0.0.1' }) };
  return openGateway({ ...config, gateway, servers }, { log: createLog('silent') });
}

function ownConnections({ logins, connecting, listen, settled }: InternalGateway, config: LoadedConfig): Connections {
  if (!logins || !connecting) throw new SwitchboardError('SWB_NOT_SUPPORTED', 'Nobody logs in to servers here.');
  const { pages } = connecting;
  const hasGrant = (grant: string): boolean => config.policy.grants.some(({ name }) => name === grant);
  let shown: Promise<void> = Promise.resolve();
  return {
    connections: async (principal) => (await logins.status(principal)).map(connectionJson),
    revoke: (principal, server) => logins.revoke(principal, server),
    async pageState(id) {
      const state = await pages.stateOf(id);
      // The browser is on its way to the page that says so.
      if (state === 'connected') await within(shown, SHOWN_MS, () => {});
      return state;
    },
    async connect(server, whose) {
      await listen();
      // What the server asks for, it says when it is connected to.
      await settled();
      const page = await openPage({ logins, pages, hasGrant }, server, whose);
      shown = pages.whenShown(page.id);
      return page;
    },
  };
}
