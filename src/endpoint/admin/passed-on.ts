/**
 * Requests of operators that one replica passes on to another. The replica that let the operator in names the operator, and proves with
 * a code that it has the admin token. The token itself is not sent: the address of a replica comes from the state, and a writer of the state
 * may have put its own there.
 *
 * A code is about one request: the replica it is for, method, address, body, operator and time. It counts once.
 * @module
 */
import { createHmac, randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { tokenCheck } from '../../auth/bearer.ts';
import { type Operator, operatorIn, TOKEN_OPERATOR } from '../../auth/operators/operator.ts';
import { SwitchboardError } from '../../core/errors.ts';
import { sha256 } from '../../core/hash.ts';
import type { Log } from '../../core/log.ts';
import { Quiet } from '../../core/quiet.ts';
import type { ReplicaId } from '../../state/replica.ts';
import { Once } from './once.ts';

const OPERATOR_HEADER = 'x-switchboard-operator';
/** `<id> <time> <hash of the body> <code>`. */
const PROOF_HEADER = 'x-switchboard-proof';

/** What is passed on. */
export interface PassedRequest {
  to: ReplicaId;
  method: string;
  /** With its query. */
  path: string;
  body: Buffer;
  operator: Operator;
}

export interface PassedOnOptions {
  token: string;
  /** This one. */
  replica: ReplicaId;
  log: Log;
}

/** What `receive` has found out before the body is read. */
export interface Received {
  operator: Operator;
  /** Throws `SWB_FORBIDDEN` where the body is another one. */
  requireBody(body: Buffer): void;
}

export class PassedOn {
  readonly #key: Buffer;
  readonly #replica: ReplicaId;
  readonly #log: Log;
  readonly #quiet = new Quiet();
  readonly #once = new Once();

  constructor({ token, replica, log }: PassedOnOptions) {
    this.#key = createHmac('sha256', token).update('requests of operators that are passed on').digest();
    this.#replica = replica;
    this.#log = log;
  }

  /** In place of the credentials that the operator has sent. */
  headersFor({ to, method, path, body, operator }: PassedRequest): Record<string, string> {
    const who = operator === TOKEN_OPERATOR ? '' : Buffer.from(JSON.stringify(operator)).toString('base64url');
    const [id, at, hash] = [randomUUID(), String(Date.now()), sha256(body)];
    const code = this.#codeOf([to, method, path, who, id, at, hash]);
    return { [OPERATOR_HEADER]: who, [PROOF_HEADER]: [id, at, hash, code].join(' ') };
  }

  /** Throws `SWB_FORBIDDEN` for what no replica with the admin token has sent to this one just now. */
  receive(req: Pick<IncomingMessage, 'method' | 'url' | 'headers'>): Received {
    const { [OPERATOR_HEADER]: who = '', [PROOF_HEADER]: proof = '' } = req.headers;
    const [id = '', at = '', hash = '', code = ''] = String(proof).split(' ');
    const covered = [this.#replica, req.method ?? '', req.url ?? '', String(who), id, at, hash];
    if (!tokenCheck(this.#codeOf(covered))(code))
      throw this.#refused('its code was not made with the admin token of this replica');
    if (!this.#once.isOfNow(Number(at)))
      throw this.#refused('it was not sent within the last minute, by the clock of this replica');
    if (!this.#once.isNew(id, Number(at))) throw this.#refused('it has come before');
    const operator = who === '' ? TOKEN_OPERATOR : operatorIn(parsed(String(who)));
    // A person must not become the holder of the admin token.
    if (!operator) throw this.#refused('it does not say who asks');
    return {
      operator,
      requireBody: (body) => {
        if (sha256(body) !== hash) throw this.#refused('its body is another one');
      },
    };
  }

  #codeOf(covered: readonly string[]): string {
    return createHmac('sha256', this.#key).update(JSON.stringify(covered)).digest('base64url');
  }

  #refused(reason: string): SwitchboardError {
    const skipped = this.#quiet.skippedBefore(reason);
    const more = skipped ? { alsoRefused: skipped } : {};
    if (skipped !== undefined)
      this.#log.warn({ reason, ...more }, 'A request of an operator that another replica passed on was refused.');
    return new SwitchboardError('SWB_FORBIDDEN', `The replica that this is about refused it: ${reason}.`);
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(Buffer.from(text, 'base64url').toString());
  } catch {
    return undefined;
  }
}
