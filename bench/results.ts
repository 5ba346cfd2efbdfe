/**
 * Everything one run found out.
 * @module
 */
import type { AgentRows } from './agents.ts';
import type { BrokerRow } from './broker.ts';
import type { FirstLookRow } from './first-look.ts';
import type { Machine } from './machine.ts';
import type { ObservedRow } from './observed.ts';
import type { DecisionRow } from './policy-decision.ts';
import type { RedisRow } from './redis.ts';
import type { ReplicaRow } from './replicas.ts';
import type { Failure } from './rounds.ts';
import type { Row } from './rows.ts';
import type { SessionRow } from './sessions.ts';
import type { StartupRow } from './startup.ts';
import type { SustainedRow } from './sustained.ts';

/** A part that could not be measured says why. */
export interface Missing {
  missing: string;
}

export interface Results {
  /** ISO date and time of the start. */
  date: string;
  durationSeconds: number;
  quick: boolean;
  /** Name the run was narrowed to. */
  only: string | undefined;
  rounds: number;
  machine: Machine;
  notes: string[];
  requests: number;
  rows: Row[];
  failures: Failure[];
  /** Why there are no gateway rows; undefined when there are. */
  gatewayMissing: string | undefined;
  /** After the call and list rows, without forced collection. */
  residentMegabytes: Record<string, number>;
  /** Undefined: not part of this run. */
  sustained: SustainedRow[] | Missing | undefined;
  startup: StartupRow | Missing | undefined;
  sessions: SessionRow[] | Missing | undefined;
  firstLook: FirstLookRow | Missing | undefined;
  decisions: DecisionRow | Missing | undefined;
  broker: BrokerRow[] | Missing | undefined;
  agents: AgentRows | Missing | undefined;
  observed: ObservedRow[] | Missing | undefined;
  redis: RedisRow[] | Missing | undefined;
  replicas: ReplicaRow[] | Missing | undefined;
}

export const isMissing = (part: object): part is Missing => 'missing' in part;
