/**
 * What is said of a name nobody has. One place, because what policy hides is answered with the very same words: a
 * difference would tell the hidden from the absent.
 * @module
 */

import { SwitchboardError } from '../core/errors.ts';
import type { PolicySection } from '../policy/language/types.ts';
import { shorten } from './request-context.ts';

const LISTED = {
  tools: ['SWB_UNKNOWN_TOOL', 'tool'],
  prompts: ['SWB_UNKNOWN_PROMPT', 'prompt'],
  resources: ['SWB_UNKNOWN_RESOURCE', 'resource'],
  agents: ['SWB_UNKNOWN_AGENT', 'agent'],
} as const;

/** `asked` is the client's own spelling: it must not learn another one. */
export function unknownName(section: PolicySection, asked: string): SwitchboardError {
  // No list has methods.
  if (section === 'methods') {
    return new SwitchboardError('SWB_METHOD_NOT_FOUND', `Method not found: '${shorten(asked)}'.`);
  }
  const [code, noun] = LISTED[section];
  return new SwitchboardError(
    code,
    `Unknown ${noun}: '${shorten(asked)}'. List the ${noun}s to see what there is.`,
    section === 'resources' ? { data: { uri: asked } } : {},
  );
}
