/**
 * The installation's key for hashes in the audit: a secret of the state, so that equal arguments have equal hashes after
 * a restart and in every gateway that shares the state.
 * @module
 */
import { randomBytes } from 'node:crypto';
import type { Log } from '../../core/log.ts';
import type { State } from '../../state/state.ts';
import { AuditHasher } from './hash.ts';

/** A state that cannot be used costs only that hashes of before and after a restart cannot be compared. */
export async function openAuditHasher(state: Pick<State, 'secret'>, log: Log): Promise<AuditHasher> {
  try {
    return new AuditHasher(await state.secret('audit'));
  } catch (error) {
    log.warn({ err: error }, 'The key of the audit cannot be kept: its hashes will be others after a restart.');
    return new AuditHasher(randomBytes(32));
  }
}
