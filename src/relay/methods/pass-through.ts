/**
 * Methods the gateway does not know: extensions. At one server's own endpoint they go to that server as they are; in the
 * merged view nobody can tell whose they would be.
 * @module
 */
import { SwitchboardError } from '../../core/errors.ts';
import { subjectNamed } from '../gate/subjects.ts';
import { type Method, shorten } from '../request-context.ts';

/** Not a client's to send: our own inner methods, and what servers ask clients. */
export const INNER = /^(agents|elicitation|sampling|roots)\//;

export const passThrough: Method = (turn) => {
  const { view, request } = turn.inbound;
  const member = view.server === undefined ? undefined : turn.services.federation.member(view.server);
  if (!member || INNER.test(request.method)) {
    throw new SwitchboardError('SWB_METHOD_NOT_FOUND', `Method not found: '${shorten(request.method)}'.`);
  }
  return turn.services.dispatcher.dispatch(turn, {
    member,
    method: request.method,
    subject: subjectNamed('methods', member, request.method),
    params: { ...turn.params },
    shape: 'complete',
  });
};
