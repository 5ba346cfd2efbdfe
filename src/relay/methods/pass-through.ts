/**
 * Methods that MCP does not define, which are extensions'. At a server's own endpoint they go to that server unchanged; in
 * the merged view no one server can be found for them.
 * @module
 */
import type { Federation } from '../../federation/types.ts';
import type { Dispatcher } from '../dispatch.ts';
import { subjectNamed } from '../gate/subjects.ts';
import { type Method, methodNotFound } from '../request-context.ts';

/** Methods that clients may not send: inner ones of the gateway, and requests of servers. */
const INNER = /^(agents|elicitation|sampling|roots)\//;

export const isInner = (method: string): boolean => INNER.test(method);

export const passThrough =
  (federation: Pick<Federation, 'member'>, dispatcher: Dispatcher): Method =>
  (context) => {
    const { view, request, params } = context;
    const member = view.server === undefined ? undefined : federation.member(view.server);
    if (!member || isInner(request.method)) throw methodNotFound(request.method);
    return dispatcher.dispatch(context, {
      member,
      method: request.method,
      subject: subjectNamed('methods', member, request.method),
      params: { ...params },
      shape: 'complete',
    });
  };
