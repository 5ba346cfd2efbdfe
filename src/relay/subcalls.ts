/**
 * A call made within another (an agent called through `callAgent`): it has its own server's queue and time limit and its
 * own policy decision, and the client and the end of the outer call.
 * @module
 */
import type { Call } from '../core/call.ts';
import { SwitchboardError } from '../core/errors.ts';
import type { Reply } from '../core/upstream.ts';
import type { PolicyDecision } from '../policy/decision/policy-decision.ts';
import type { JsonObject } from '../wire/jsonrpc.ts';
import { RelayCall } from './call.ts';
import type { Dispatcher, UpstreamRequest } from './dispatch.ts';
import { resultObject } from './types.ts';

export async function subcall(
  dispatcher: Dispatcher,
  outer: Call,
  request: UpstreamRequest,
  decision: PolicyDecision | undefined,
): Promise<JsonObject> {
  const { member } = request;
  const channel = { notify: outer.notify.bind(outer) };
  // The token only says that progress is wanted: the outer call stamps the client's.
  const call = new RelayCall(outer.caller, channel, outer.wantsProgress ? 0 : undefined);
  call.asker = outer.ask.bind(outer);
  call.decision = decision;
  // An outer call is always one of the relay's own.
  if (outer instanceof RelayCall) {
    call.trace = outer.trace;
    call.ceilingMs = outer.ceilingMs;
    call.onBegan = outer.onBegan;
    call.agent = { member, original: String(request.params.agent) };
  }
  const stop = outer.onAbort((reason) => call.abort(reason));
  try {
    member.require();
    const reply = await new Promise<Reply>((resolve, reject) => {
      call.onAbort(reject);
      dispatcher.exchange(call, request).then(resolve, reject);
    });
    if ('inputRequired' in reply) {
      const message = `Server '${member.name}' asks for input an agent call cannot give.`;
      throw new SwitchboardError('SWB_UPSTREAM_PROTOCOL', message);
    }
    decision?.conclude();
    return resultObject(reply);
  } catch (error) {
    decision?.conclude({ kind: 'error', error });
    throw error;
  } finally {
    stop();
    call.settle();
  }
}
