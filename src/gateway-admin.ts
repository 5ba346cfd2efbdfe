/**
 * What the administration and its pages are made of.
 * @module
 */
import { createHmac } from 'node:crypto';
import { adminToken, isChosen } from './auth/admin-token.ts';
import type { OperatorLogin } from './auth/operators/login.ts';
import { redact } from './config/redact.ts';
import type { AdminLoginConfig } from './config/types.ts';
import type { NetworkGuard } from './core/adapter.ts';
import type { Authenticator } from './core/identity.ts';
import type { Log } from './core/log.ts';
import type { AdminOptions } from './endpoint/admin/admin.ts';
import { BrowserSessions } from './endpoint/admin/browser-sessions.ts';
import { withoutCredentials } from './endpoint/admin/caller-values.ts';
import { MAX_SHOWN_BYTES } from './endpoint/admin/calls.ts';
import { ReplicaActions } from './endpoint/admin/replica-actions.ts';
import type { AdminSources } from './endpoint/admin/route.ts';
import { SharedCalls } from './endpoint/admin/shared-calls.ts';
import type { ConfigurationFile, PageSources } from './endpoint/admin/sources.ts';
import type { Federation } from './federation/types.ts';
import { localCalls } from './gateway-calls.ts';
import type { ConcludedEvent } from './observe/events.ts';
import { CallRecorder } from './observe/recorder.ts';
import { shownJson } from './policy/approvals/shown.ts';
import type { PolicyConfig } from './policy/language/types.ts';
import { openPolicy } from './policy/open.ts';
import type { Policy } from './policy/policy.ts';
import { explain } from './relay/explain/explain.ts';
import { Gate } from './relay/gate/gate.ts';
import { subjectNamed } from './relay/gate/subjects.ts';
import type { Relay } from './relay/relay.ts';
import { memoryState } from './state/memory/memory-state.ts';
import type { ReplicaId } from './state/replica.ts';
import type { Replicas } from './state/replicas.ts';
import type { State } from './state/state.ts';

export interface AdminParts {
  instance: string;
  config: PolicyConfig | undefined;
  stateDir: string | undefined;
  /** Where people log in to the pages; undefined where they do not. */
  login: AdminLoginConfig | undefined;
  publicUrl: string | undefined;
  guard(): NetworkGuard;
  policy: Policy;
  gate: Gate;
  federation: Federation;
  relay: Relay;
  auth: Authenticator;
  /** Clients can log in: access tokens of an issuer, or of the gateway itself, are accepted. */
  clientsLogIn: boolean;
  builtins: ReadonlySet<string>;
  configuration: ConfigurationFile | undefined;
  /** Logins of people to servers; undefined where no server has logins. */
  connections: Omit<NonNullable<AdminSources['connections']>, 'hasGrant'> | undefined;
  state: State;
  /** How many replicas there are; undefined where there is none but this one. */
  replicas: Pick<Replicas, 'count' | 'others'> | undefined;
  log: Log;
}

export interface Administration {
  /** Undefined: there is neither an admin token nor a login, and so no administration. */
  options: AdminOptions | undefined;
  close(): void;
}

export async function openAdministration(parts: AdminParts): Promise<Administration> {
  const { instance, config, stateDir, policy, gate, federation, relay, configuration, connections, auth, log } = parts;
  const { state, replicas } = parts;
  const login = await openLogin(parts);
  const without = login && 'Operators have to log in, without an admin token';
  const shown = await adminToken(config?.adminToken, stateDir, log, without);
  const token = shown ?? (login && (await tokenOfReplicas(state, parts.login?.clientSecret)));
  if (token === undefined) return { options: undefined, close: () => {} };
  const closing = new AbortController();
  const calls = new CallRecorder({ instance, shown: (event) => shownArguments(event, policy, federation) });
  const shared = new SharedCalls({ recorder: calls, replica: state.replica, bus: replicas && state.bus });
  const others = (): readonly ReplicaId[] => replicas?.others ?? [];
  const actions = new ReplicaActions({ replica: state.replica, bus: state.bus, token, others, log });
  const send = localCalls(relay, federation.all);
  const context = { policy, gate, federation, log };
  const pages: PageSources = {
    ...context,
    instance,
    relay,
    calls,
    shared,
    actions,
    replica: state.replica,
    replicas: () => replicas?.count ?? 1,
    configuration,
    lockFile: config?.lock.file,
    needsKey: () => auth.open !== true,
    clientsLogIn: parts.clientsLogIn,
    call: (method, params, options) => send(method, params, options),
    explain: (request) => explain(context, request),
    explainUnder: (other) => explainUnder(other, parts),
  };
  const servers = () => federation.members().flatMap((member) => (member.builtin ? [] : [member.status()]));
  return {
    options: {
      token,
      opensPages: shown !== undefined,
      isChosen: isChosen(config?.adminToken, token),
      approvals: policy.approvals,
      servers,
      connections: connections && { ...connections, hasGrant: (name) => policy.keys.isValid(name) },
      pages,
      sessions: new BrowserSessions({
        kv: state.kv,
        token,
        login: login && `${login.version} ${parts.login?.clientSecret ?? token}`,
      }),
      login,
      closing: closing.signal,
    },
    close() {
      closing.abort();
      shared.close();
      actions.close();
      calls.close();
    },
  };
}

async function openLogin(parts: AdminParts): Promise<OperatorLogin | undefined> {
  const { login, publicUrl, state, guard } = parts;
  if (!login || publicUrl === undefined) return undefined;
  const { operatorLogin } = await import('./auth/operators/login.ts');
  return operatorLogin({ ...login, publicUrl, guard, store: state.kv, secret: await state.secret('admin-login') });
}

/**
 * Where people log in and there is no token: one for what replicas pass on to each other, which opens nothing for clients. A reader of
 * the state does not have it where the provider gave the gateway a secret.
 */
async function tokenOfReplicas(state: State, clientSecret = ''): Promise<string> {
  const secret = await state.secret('admin-token');
  return createHmac('sha256', secret).update(clientSecret).digest('base64url');
}

/** As the rules for the tool redact them, and without what looks like a secret. */
function shownArguments(
  { grant, server, section, name, arguments: given }: ConcludedEvent,
  policy: Policy,
  federation: Federation,
): string {
  const member = federation.member(server);
  const args = given ?? {};
  const redacted = member
    ? policy.planFor(grant, subjectNamed(section as 'tools', member, name)).redactArguments(args)
    : {};
  return shownJson(withoutCredentials(redact(redacted)), MAX_SHOWN_BYTES).text;
}

async function explainUnder(other: PolicyConfig, { federation, builtins, log }: AdminParts) {
  const state = memoryState(log);
  const config: PolicyConfig = { ...other, hooks: [], audit: undefined, lock: { ...other.lock, mode: 'off' } };
  const policy = await openPolicy({ config, builtins, state, instance: '', log });
  const gate = new Gate(policy);
  const context = { policy, gate, federation, log };
  return {
    explain: (request: Parameters<PageSources['explain']>[0]) => explain(context, request),
    async close() {
      await policy.close();
      await state.close();
    },
  };
}
