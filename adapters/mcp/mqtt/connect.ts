/**
 * Connecting to an MCP server at a broker (EMQX's form). It is a transport of sessions, so its servers are legacy.
 * @module
 */
import { randomBytes } from 'node:crypto';
import type { ConnectContext, Target } from '../../../src/core/adapter.ts';
import type { Caller } from '../../../src/core/caller.ts';
import { SwitchboardError } from '../../../src/core/errors.ts';
import { clientPresenceTopic, DISCONNECTED_MESSAGE, PROPERTY, type ServerAddress } from '../../../src/wire/mqtt/mcp-topics.ts';
import { openBroker } from '../../../src/wire/mqtt/index.ts';
import type { Connected } from '../connection.ts';
import type { UpstreamHost } from '../host.ts';
import { type HandshakeOptions, initialize } from '../session/handshake.ts';
import { callerEnvelope } from '../session/params.ts';
import { UpstreamSession } from '../session/session.ts';
import { discoverServer, type Wanted } from './discover.ts';
import { MqttLink, ownProperties } from './link.ts';

type MqttTarget = Target & { transport: 'mqtt' };

/** How long a server that is not online is waited for. One that was there before is, as often as not, being restarted. */
const PATIENCE_MS = 2_000;
const KNOWN_PATIENCE_MS = 10_000;

export async function connectMqtt(context: ConnectContext, target: MqttTarget, host: UpstreamHost): Promise<Connected> {
  const { isolation, signal } = context;
  const gatewaySession = await openSession(context, target, host, signal);
  const { server, version } = { server: gatewaySession.server, version: gatewaySession.session.handshake.protocolVersion };
  return {
    gatewaySession: gatewaySession.session,
    connection: {
      transport: 'mqtt',
      perCaller: isolation === 'caller',
      renewable: false,
      open: async (caller, deadline) => {
        const opened = await openSession(context, target, host, deadline, { caller, server, version });
        return opened.session;
      },
      listens: () => true,
      close: async () => {},
    },
  };
}
