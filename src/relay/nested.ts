/**
 * A call made inside another (callAgent): its own server's queue and clock, its own place in policy, the outer call's
 * client and end.
 * @module
 */

import type { Call } from '../core/call.ts';
import { SwitchboardError } from '../core/errors.ts';
import type { Reply } from '../core/upstream.ts';
import type { Member } from '../federation/types.ts';
import type { JsonObject } from '../wire/jsonrpc.ts';
import { RelayCall } from './call.ts';
import type { Dispatcher } from './dispatch.ts';
import type { PolicyDecision } from './gate/admission.ts';
import { approve } from './gate/approving.ts';
import { concluding } from './gate/concluding.ts';
import { resultObject } from './types.ts';

export async function callInside(
  outer: Call,
  dispatcher: Dispatcher,
  member: Member,
  method: string,
  params: JsonObject,
  admission: PolicyDecision | undefined,
): Promise<JsonObject> {
  const channel = { notify: outer.notify.bind(outer) };
  // The token only says that progress is wanted: the outer call stamps the client's.
  const call = new RelayCall(outer.caller, channel, outer.wantsProgress ? 0 : undefined);
  call.asker = outer.ask.bind(outer);
  const stop = outer.onAbort((reason) => call.abort(reason));
  call.admission = admission;
  const run = async (): Promise<Reply> => {
    if (admission?.need) await approve(call, admission);
    const reply = await dispatcher.send(call, member, method, params);
    return admission ? admission.screen(reply) : reply;
  };
  try {
    const answer = await concluding(call, async () => {
      member.require();
      const reply = await new Promise<Reply>((resolve, reject) => {
        call.onAbort(reject);
        run().then(resolve, reject);
      });
      if ('inputRequired' in reply) {
        throw new SwitchboardError(
          'SWB_UPSTREAM_PROTOCOL',
          `Server '${member.name}' asks for input an agent call cannot give.`,
        );
      }
      return reply;
    });
    return resultObject(answer);
  } finally {
    stop();
    call.settle();
  }
}
