/** The state of the gateway as its events tell it, for all pages. */
import { signal } from '@preact/signals';
import type { ApprovalJson } from '../approvals.ts';
import type { ServerInFull } from '../servers.ts';
import type { CallJson } from '../shared-calls.ts';
import { api, follow } from './api.ts';

export const servers = signal<readonly ServerInFull[] | undefined>(undefined);
/** Newest first. */
export const calls = signal<readonly CallJson[]>([]);
export const valuesUntil = signal<number | undefined>(undefined);
/** Whose states and queues these are, and how many replicas there are. */
export const replica = signal<{ id: string; of: number } | undefined>(undefined);
export type Waiting = Omit<ApprovalJson, 'arguments' | 'argumentsShortened'>;
export const waiting = signal<readonly Waiting[]>([]);

const MAX_CALLS = 1_000;

/** Reads events while the pages are open. Returns what ends it. */
export const watch = (): (() => void) =>
  follow('api/events', (event, data) => {
    if (event === 'servers') takeServers(data as ServersEvent);
    else if (event === 'calls') takeCalls(data as { calls: CallJson[]; valuesUntil?: number });
    else if (event === 'approvals') void readApprovals();
  });

interface ServersEvent {
  servers: ServerInFull[];
  replica: string;
  replicas: number;
}

function takeServers({ servers: all, replica: id, replicas: of }: ServersEvent): void {
  servers.value = all;
  if (replica.value?.id !== id || replica.value.of !== of) replica.value = { id, of };
}

function takeCalls({ calls: changed, valuesUntil: until }: { calls: CallJson[]; valuesUntil?: number }): void {
  const all = new Map(calls.value.map((call) => [call.id, call]));
  for (const call of changed) all.set(call.id, call);
  const newestFirst = (a: CallJson, b: CallJson): number => (a.at < b.at ? 1 : a.at > b.at ? -1 : b.call - a.call);
  calls.value = [...all.values()].sort(newestFirst).slice(0, MAX_CALLS);
  valuesUntil.value = until;
}

export async function readApprovals(): Promise<void> {
  const { approvals } = await api<{ approvals: Waiting[] }>('approvals?state=pending').catch(() => ({ approvals: [] }));
  waiting.value = approvals;
}
