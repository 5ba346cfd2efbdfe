/**
 * The built-in hooks, by their names in the configuration.
 * @module
 */
import type { HookFactory } from '../src/policy/hooks/contract.ts';
import { capResult } from './cap-result.ts';
import { redactSecrets } from './redact-secrets.ts';
import { rewriteArguments } from './rewrite-arguments.ts';

export const BUILTIN_FACTORIES: ReadonlyMap<string, HookFactory> = new Map([
  ['redact-secrets', redactSecrets],
  ['cap-result', capResult],
  ['rewrite-arguments', rewriteArguments],
]);
