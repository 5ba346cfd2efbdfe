/**
 * Policy as the rest of the gateway uses it: documents, limits, argument schemas, hooks, approvals, pinning, grants and audit
 * of the current configuration.
 * @module
 */

import type { GrantKeys } from '../auth/grant-keys.ts';
import { SwitchboardError } from '../core/errors.ts';
import type { Identity } from '../core/identity.ts';
import { Listeners } from '../core/listeners.ts';
import type { Log } from '../core/log.ts';
import type { CatalogKind, Entry } from '../core/upstream.ts';
import type { AuditConfig } from '../observe/audit/file-log.ts';
import { openAuditFile } from '../observe/audit/file-log.ts';
import type { AuditHasher } from '../observe/audit/hash.ts';
import { OperationRecords } from '../observe/audit/operations.ts';
import { PendingRecords } from '../observe/audit/pending-records.ts';
import type { AuditLog, AuditRecord } from '../observe/audit/record.ts';
import { recordOf } from '../observe/audit/record-of.ts';
import { RefusalGroups } from '../observe/audit/refusals.ts';
import { CHANNELS, type ConcludedEvent, subscribe } from '../observe/events.ts';
import type { CounterReading, Counters, Refusal, Reservation } from '../state/state.ts';
import type { JsonObject } from '../wire/jsonrpc.ts';
import { claimDenial } from './approvals/denials.ts';
import { approvalForm } from './approvals/form.ts';
import type { Approval, Approvals } from './approvals/types.ts';
import { ArgumentChecks } from './arguments/argument-checks.ts';
import { deniedArguments } from './arguments/denial.ts';
import { limitDenial, uncountedDenial } from './counters/denial.ts';
import { type LimitInUse, type LimitOwners, limitsInUse } from './counters/in-use.ts';
import { hookInput } from './decision/screening.ts';
import { Denied } from './denied.ts';
import { withMessage } from './engine/agent-arguments.ts';
import type { Plan } from './engine/plan.ts';
import type { Hooks } from './hooks/hooks.ts';
import type { ListedEntry } from './hooks/listing.ts';
import { HOOKS_POLICY } from './hooks/outcome.ts';
import type { GrantConfig, PolicyConfig, PolicySection, StateFailure } from './language/types.ts';
import type { Lock } from './pinning/lock.ts';
import { Rules } from './rules.ts';
import type { ApprovalNeed, ArgumentCheck, Denial, LimitUse, Subject } from './types.ts';

interface Server {
  readonly name: string;
  readonly builtin: boolean;
}

export interface PolicyParts {
  /** The gateway that events are published of. */
  instance: string;
  hooks: Hooks;
  builtins: ReadonlySet<string>;
  lock: Lock;
  counters: Counters;
  /** Default: `deny`. */
  onStateFailure?: StateFailure | undefined;
  approvals: Approvals;
  hasher: AuditHasher;
  keys: GrantKeys;
  log: Log;
}

export class Policy {
  readonly instance: string;
  readonly hooks: Hooks;
  readonly approvals: Approvals;
  readonly keys: GrantKeys;
  readonly #builtins: ReadonlySet<string>;
  readonly #lock: Lock;
  readonly #counters: Counters;
  readonly #onStateFailure: StateFailure;
  readonly #arguments: ArgumentChecks;
  readonly #hasher: AuditHasher;
  readonly #log: Log;
  readonly #listeners: Listeners<[]>;
  /** Reloads run one after the other, so that the last one requested stays. */
  #reloading: Promise<unknown> = Promise.resolve();
  #config: PolicyConfig;
  #rules: Rules;
  #audit: AuditLog | undefined;
  readonly #pending = new PendingRecords((event, at) => this.#record(event, at));
  readonly #refusals = new RefusalGroups((record, event) => this.#write(record, event));
  readonly #operations: OperationRecords;
  /** Ends the subscription that records are written from; undefined while no audit is configured. */
  #stopRecording: (() => void) | undefined;

  constructor(
    config: PolicyConfig,
    { instance, builtins, hooks, lock, counters, onStateFailure = 'deny', approvals, hasher, keys, log }: PolicyParts,
  ) {
    this.instance = instance;
    this.#config = config;
    this.#builtins = builtins;
    this.#rules = new Rules(config, builtins);
    this.#listeners = new Listeners(log);
    this.hooks = hooks;
    this.approvals = approvals;
    this.keys = keys;
    this.#lock = lock;
    this.#counters = counters;
    this.#onStateFailure = onStateFailure;
    this.#arguments = new ArgumentChecks(log);
    this.#hasher = hasher;
    this.#log = log;
    this.#audit = openAudit(config.audit, log);
    this.#operations = new OperationRecords(instance, (operation) => {
      // Lines stand in the order of their times.
      this.#pending.flush();
      this.#audit?.writeOperation(operation);
    });
    this.#recordIfRead();
    approvals.onChange((approval) => this.#publishApproval(approval));
  }

  /** Whether anything may be hidden from or forbidden to callers of this grant; undefined: to callers without one. */
  binds(grant: string | undefined): boolean {
    return this.#rules.binds(grant) || this.#config.lock.mode !== 'off' || this.#config.hooks.length > 0;
  }

  /** Whether a server has a document of its own. */
  governs(server: string): boolean {
    return this.#rules.governs(server);
  }

  /** The grants of the current configuration. */
  get grants(): readonly GrantConfig[] {
    return this.#config.grants;
  }

  /** Whether a server exists for callers of this grant. */
  admitsServer(grant: string | undefined, server: Server): boolean {
    return this.#rules.admitsServer(grant, server) && this.#lock.reaches(server);
  }

  /** Whether pinning admits an entry. */
  admitsDefinition(server: Server, kind: CatalogKind, entry: Entry): boolean {
    return this.#lock.admits(server, kind, entry);
  }

  /** Whether pinning or a hook may hide an entry. Where none can, {@link admitsEntry} is true of all. */
  get examinesEntries(): boolean {
    return this.#config.lock.mode !== 'off' || this.hooks.hasAny('list.filter');
  }

  /** Whether pinning and hooks admit an entry for this identity. */
  admitsEntry(identity: Identity, server: Server, kind: CatalogKind, entry: ListedEntry): boolean {
    if (!this.#lock.admits(server, kind, entry.entry)) return false;
    return this.hooks.listed(identity, entry);
  }

  /**
   * Why a subject does not exist for this identity although no document hides it; undefined where it exists. `listed` is its
   * entry, where a list has one.
   */
  whyAbsent(
    identity: Identity,
    server: Server,
    listed: { kind: CatalogKind; entry: ListedEntry } | undefined,
  ): Denial | undefined {
    const absent = (policy: string, rule: string, reason: string): Denial => ({
      code: 'SWB_DENIED',
      policy,
      rule,
      reason,
      hidden: true,
    });
    if (!this.#rules.admitsServer(identity.grant, server))
      return absent(`grant:${identity.grant}`, '(servers)', `The server "${server.name}" is none of this grant's.`);
    if (!this.#lock.reaches(server))
      return absent('lock', '(lock)', `The lock file says nothing of the server "${server.name}".`);
    if (listed && !this.#lock.admits(server, listed.kind, listed.entry.entry))
      return absent('lock', '(lock)', 'Its definition is not the one in the lock file.');
    if (listed && !this.admitsEntry(identity, server, listed.kind, listed.entry))
      return absent(HOOKS_POLICY, '(hook list.filter)', 'A hook of list.filter hides it.');
    return undefined;
  }

  admitsInstructions(server: Server, text: string): boolean {
    return this.#lock.admitsInstructions(server, text);
  }

  /** Resolves when hooks have decided about these entries; undefined when they are decided now. */
  prepare(identity: Identity, entries: () => readonly ListedEntry[]): Promise<void> | undefined {
    // Every call comes here, and a list may be long: without such hooks it is not made.
    if (!this.hooks.hasAny('list.filter')) return undefined;
    return this.hooks.prepare(identity, entries());
  }

  /** Changes with the rules: a decision or approval holds for one version only. */
  get version(): string {
    return this.#rules.version;
  }

  get lockMode(): PolicyConfig['lock']['mode'] {
    return this.#config.lock.mode;
  }

  /** Takes on what the lock file says now, as a reload does. */
  rereadLock(): Promise<void> {
    const reread = this.#reloading.then(() => this.#takeOn(this.#config, () => {}));
    this.#reloading = reread.catch(() => {});
    return reread;
  }

  allowsByDefault(grant: string | undefined, server: Server): boolean {
    return this.#rules.allowsByDefault(grant, server);
  }

  /** Whether a resource of this server may be hidden from callers of this grant; errors for absent URIs must then look alike. */
  hidesUris(grant: string | undefined, server: string): boolean {
    return this.#rules.hidesUris(grant, server) || this.hooks.has('list.filter', server);
  }

  planFor(grant: string | undefined, subject: Subject): Plan {
    return this.#rules.planFor(grant, subject);
  }

  /** For callers whom no document binds: checks the tool's own schema alone. Throws {@link Denied}. */
  requireFittingArguments(subject: Subject, args: JsonObject | undefined): void {
    const denial = this.checkArguments(subject, UNGOVERNED, args, []);
    if (denial) throw new Denied(denial);
  }

  /**
   * Checks the tool's own schema and those of rules. Denials of documents in shadow mode are added to `shadow`, every schema
   * that was checked to `checked`.
   */
  checkArguments(
    subject: Subject,
    { schemas, governed }: Pick<Plan, 'schemas' | 'governed'>,
    args: JsonObject | undefined,
    shadow: Denial[],
    checked?: ArgumentCheck[],
  ): Denial | undefined {
    const isAgent = subject.section === 'agents';
    if (!isAgent && subject.section !== 'tools') return undefined;
    // What an agent takes is checked where its call is made.
    if (isAgent && schemas.length === 0) return undefined;
    const ownSchema = !isAgent && this.validatesArguments(subject.server, governed);
    const seen = isAgent ? (withMessage(args ?? {}) as JsonObject) : (args ?? {});
    return deniedArguments(this.#arguments, { subject, args: seen, ownSchema, schemas }, shadow, checked);
  }

  /**
   * Takes what a call needs of its limits, all or nothing. Throws (or rejects with) {@link Denied} when one is reached;
   * a promise only where another replica counts at this moment.
   */
  reserve(limits: readonly LimitUse[]): Reservation | Promise<Reservation> {
    const reserved = this.#counters.reserve(limits);
    if (!(reserved instanceof Promise)) return requireGranted(reserved);
    return reserved.then(requireGranted, (error: unknown) => this.#uncounted(limits, error));
  }

  /** The state is away: a call passes only where each of its limits lets it. */
  #uncounted(limits: readonly LimitUse[], error: unknown): Reservation {
    if (!(error instanceof SwitchboardError)) throw error;
    const use = limits.find(({ onStateFailure = this.#onStateFailure }) => onStateFailure === 'deny');
    if (use) throw new Denied(uncountedDenial(use, error.retryAfterMs));
    return UNCOUNTED;
  }

  /** How the counters of these limits stand, and whether {@link reserve} would grant them. Takes nothing. */
  readLimits(limits: readonly LimitUse[]): CounterReading<LimitUse> | Promise<CounterReading<LimitUse>> {
    return this.#counters.read(limits);
  }

  /** Every limit with what is counted of it now. Rejects with `SWB_STATE` where counters cannot be read. */
  limitsInUse(owners: LimitOwners): Promise<{ limits: LimitInUse[]; isWhole: boolean }> {
    return limitsInUse(this.#config, owners, (uses) => this.#counters.read(uses));
  }

  /** Spends the approval of this call, or rejects with {@link Denied} while there is none. */
  async claim(
    principal: string,
    subject: Subject,
    plan: Plan,
    given: JsonObject | undefined,
    need: ApprovalNeed,
  ): Promise<{ release(): void }> {
    const claim = this.approvals.claim({
      principal,
      subject,
      arguments: given ?? {},
      policyVersion: this.#rules.version,
      need,
      shown: plan.redactArguments(given ?? {}),
    });
    if (claim.status !== 'approved') throw new Denied(claimDenial(claim, need));
    await claim.durable;
    return claim;
  }

  /** Params of the elicitation for an approval at the client. */
  question(need: ApprovalNeed, subject: Subject, plan: Plan, given: JsonObject | undefined): JsonObject {
    return approvalForm(need, subject, plan.redactArguments(given ?? {}));
  }

  /** `listener` is called after each reload. */
  onChanged(listener: () => void): () => void {
    return this.#listeners.add(listener);
  }

  /**
   * Takes on another configuration as a whole, or rejects with `SWB_CONFIG` and leaves everything unchanged. `revoke` is
   * called with the grants that lost a key, in the same turn and before the listeners of {@link onChanged}: sessions that
   * end get no notification of the change.
   */
  reload(config: PolicyConfig, revoke: (lost: ReadonlySet<string>) => void = () => {}): Promise<void> {
    const reloaded = this.#reloading.then(() => this.#takeOn(config, revoke));
    this.#reloading = reloaded.catch(() => {});
    return reloaded;
  }

  async #takeOn(config: PolicyConfig, revoke: (lost: ReadonlySet<string>) => void): Promise<void> {
    const rules = new Rules(config, this.#builtins);
    // Everything that can fail comes first and changes nothing. The exchange happens in one turn, so that no request sees
    // parts of both configurations.
    const exchangeLock = await this.#lock.prepareReload(config.lock);
    const exchangeHooks = await this.hooks.prepareReload(config.hooks);
    const lost = this.keys.replace(config);
    // What is over belongs to the configuration before: its hooks read the records, and its file has them.
    this.#pending.flush();
    exchangeLock();
    exchangeHooks();
    const auditBefore = this.#config.audit;
    this.#config = config;
    this.#rules = rules;
    if (!sameAudit(auditBefore, config.audit)) {
      this.#refusals.flush();
      this.#operations.flush();
      void this.#audit?.close();
      this.#audit = openAudit(config.audit, this.#log);
    }
    this.#recordIfRead();
    revoke(lost);
    this.#listeners.emit();
  }

  /** Writes what must survive a restart. Never rejects. */
  async close(): Promise<void> {
    this.#pending.flush();
    this.#refusals.flush();
    this.#operations.close();
    await Promise.all([this.approvals.close(), this.#audit?.close()]);
    this.#stopReading();
  }

  /** Records are made while there is a file or an `audit` hook to read them. */
  #recordIfRead(): void {
    if (this.#audit || this.hooks.hasAny('audit')) {
      this.#stopRecording ??= subscribe('concluded', (event) => this.#add(event), this.instance);
    } else this.#stopReading();
  }

  #stopReading(): void {
    this.#stopRecording?.();
    this.#stopRecording = undefined;
  }

  #add(event: ConcludedEvent): void {
    this.#pending.add(event);
    // The program has its own arguments object back in a moment and may change it: it is hashed before.
    if (event.caller.inProcess) this.#pending.flush();
  }

  #record(event: ConcludedEvent, at: number): void {
    try {
      // Before anything is hashed: a flood of refusals must cost little.
      if (this.#refusals.takes(event)) return;
      this.#write(recordOf(event, this.#hasher, at), event);
    } catch (error) {
      const { principal, method } = event;
      this.#log.error({ principal, err: error, method }, 'A record of the audit could not be made.');
    }
  }

  #write(record: AuditRecord, event: ConcludedEvent): void {
    this.#audit?.write(record);
    if (!this.hooks.has('audit', event.server)) return;
    const subject = { ...event, section: event.section as PolicySection };
    this.hooks.observe(hookInput('audit', event.caller, subject, { record: { ...record } }));
  }

  #publishApproval({ id, state, principal, server, section, name, policy, rule, by }: Approval): void {
    if (!CHANNELS.approval.hasSubscribers) return;
    const { instance } = this;
    CHANNELS.approval.publish({ instance, approval: id, state, principal, server, section, name, policy, rule, by });
  }

  /**
   * Whether arguments of this server's tools are checked against the tools' own schemas. By default only where something
   * judges them: rules and hooks rely on the types a schema promises, while servers take more than they publish (`"5"` for
   * a number, members they drop). `governed`: an enforced document binds the call.
   */
  validatesArguments(server: string, governed: boolean): boolean {
    const { servers, default: otherwise } = this.#config.validateArguments;
    return servers.get(server) ?? otherwise ?? (governed || this.hooks.has('call.before', server));
  }
}

const UNCOUNTED: Reservation = { granted: true, commit() {}, rollback() {} };

function requireGranted(reserved: Reservation | Refusal<LimitUse>): Reservation {
  if (reserved.granted) return reserved;
  throw new Denied(limitDenial(reserved));
}

const UNGOVERNED: Pick<Plan, 'schemas' | 'governed'> = { schemas: [], governed: false };

const openAudit = (config: AuditConfig | undefined, log: Log): AuditLog | undefined =>
  config && openAuditFile(config, log);

/** Two writers of one file lose lines: other bounds for the same file take effect with the next start. */
const sameAudit = (a: AuditConfig | undefined, b: AuditConfig | undefined): boolean => a?.file === b?.file;
