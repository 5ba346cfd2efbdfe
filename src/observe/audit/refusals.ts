/**
 * Keeps one principal's refusals from filling the audit. The first of them within a time have records of their own; the
 * rest are counted in groups, by what they were about and why they were refused, and each group is one record with its
 * number. Requests that may have reached a server always have a record of their own. So nothing is left out uncounted, and
 * a principal that makes thousands of refused requests costs the audit a bounded number of lines.
 * @module
 */
import type { ConcludedEvent } from '../events.ts';
import type { AuditRecord } from './record.ts';

export interface RefusalLimits {
  /** Refusals of a principal that have records of their own, in each window. */
  single: number;
  /** Groups of a principal in each window. The last one takes whatever fits no other. */
  groups: number;
  windowMs: number;
}

const REFUSAL_LIMITS: RefusalLimits = { single: 100, groups: 50, windowMs: 10_000 };

/** Principals that are counted at a time; beyond that every group is written and counting begins anew. */
const MAX_PRINCIPALS = 10_000;

/** Errors of requests that policy allowed and that never left. */
const NEVER_LEFT: ReadonlySet<unknown> = new Set([
  'SWB_QUEUE_FULL',
  'SWB_QUEUE_TIMEOUT',
  'SWB_RATE_LIMITED',
  'SWB_TOO_MANY_SESSIONS',
  'SWB_UPSTREAM_UNAVAILABLE',
]);

/** In the fields of a group whose members differ in them. */
const SEVERAL = '*';

interface Group {
  readonly record: AuditRecord & { repeated: number };
  /** The first of the group, without its arguments. */
  readonly event: ConcludedEvent;
}

interface Counted {
  single: number;
  readonly groups: Map<string, Group>;
}

export class RefusalGroups {
  readonly #write: (record: AuditRecord, event: ConcludedEvent) => void;
  readonly #limits: RefusalLimits;
  readonly #principals = new Map<string, Counted>();
  #timer: NodeJS.Timeout | undefined;

  /** `write` gets the record of each group when its window is over, and the group's first event. */
  constructor(write: (record: AuditRecord, event: ConcludedEvent) => void, limits: RefusalLimits = REFUSAL_LIMITS) {
    this.#write = write;
    this.#limits = limits;
  }

  /** Counts a refusal beyond those with a record of their own. False: the event needs a record. */
  takes(event: ConcludedEvent): boolean {
    if (!isRefusal(event)) return false;
    let counted = this.#principals.get(event.principal);
    if (!counted) {
      if (this.#principals.size >= MAX_PRINCIPALS) this.flush();
      counted = { single: 0, groups: new Map() };
      this.#principals.set(event.principal, counted);
      this.#timer ??= setTimeout(() => this.flush(), this.#limits.windowMs).unref();
    }
    if (counted.single < this.#limits.single) {
      counted.single++;
      return false;
    }
    this.#count(counted.groups, event);
    return true;
  }

  /** Writes the groups, and begins anew. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const principals = [...this.#principals.values()];
    this.#principals.clear();
    for (const { groups } of principals) for (const { record, event } of groups.values()) this.#write(record, event);
  }

  #count(groups: Counted['groups'], event: ConcludedEvent): void {
    const { server, section, name, method, verdict, policy, rule, outcome, errorCode } = event;
    let key = JSON.stringify([server, section, name, method, verdict, policy, rule, outcome, errorCode]);
    let group = groups.get(key);
    if (!group && groups.size >= this.#limits.groups - 1) {
      key = SEVERAL;
      group = groups.get(key);
    }
    const time = new Date().toISOString();
    if (!group) {
      const about: ConcludedEvent = { ...event, arguments: undefined };
      if (key === SEVERAL) Object.assign(about, { server: SEVERAL, name: SEVERAL, policy: undefined, rule: undefined });
      group = { record: { ...recordOfGroup(about, time), repeated: 0 }, event: about };
      groups.set(key, group);
    }
    group.record.repeated++;
    group.record.time = time;
  }
}

function isRefusal({ outcome, verdict, errorCode }: ConcludedEvent): boolean {
  if (outcome === 'denied') return true;
  if (outcome === 'pending') return verdict === 'approve';
  return (outcome === 'error' || outcome === 'timeout') && NEVER_LEFT.has(errorCode);
}

/** Without what differs between the members of a group. */
const recordOfGroup = (event: ConcludedEvent, since: string): AuditRecord => ({
  time: since,
  requestId: undefined,
  principal: event.principal,
  grant: event.grant,
  session: undefined,
  server: event.server,
  kind: event.section,
  name: event.name,
  method: event.method,
  era: event.caller.era,
  verdict: event.verdict,
  policy: event.policy,
  rule: event.rule,
  queueMs: undefined,
  durationMs: undefined,
  outcome: event.outcome,
  errorCode: event.errorCode,
  argKeys: [],
  argHash: undefined,
  since,
});
