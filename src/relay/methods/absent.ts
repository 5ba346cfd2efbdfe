/**
 * Names nobody lists because their server has not been seen yet: the reason why it is away is a better answer than that
 * they are unknown, since clients keep names from before the gateway was started again.
 * @module
 */
import type { Member } from '../../federation/types.ts';
import type { Services } from '../request-context.ts';
import type { Inbound } from '../types.ts';

/**
 * Throws `SWB_UPSTREAM_UNAVAILABLE` when a server that is away, and has listed nothing of this kind so far, may have this
 * name: any in its own view, those under its prefix in the merged one. Servers the caller may not know of are not told of.
 */
export function refuseAbsent(
  { view }: Inbound,
  { federation }: Pick<Services, 'federation'>,
  kind: 'tools' | 'prompts',
  name: string,
): void {
  const mayHave = (member: Member): boolean =>
    view.server === undefined ? isUnderPrefix(name, member.config.namespace) : member.name === view.server;
  for (const member of federation.members()) {
    if (member.builtin || member.upstream || member.catalog(kind).entries.length > 0) continue;
    if (mayHave(member) && view.reaches(member)) member.require();
  }
}

const isUnderPrefix = (name: string, namespace: string | false): boolean =>
  namespace !== false && name.startsWith(`${namespace}__`);
