/**
 * Names of rules: JSON pointers (RFC 6901) into the document, whose last part names a predicate or counter as published
 * ones do: `/tools/create_charge/deny_if/args.amount-gt`, `/all_tools/limits/calls-per-minute`.
 * @module
 */

export const HIDDEN = '(hidden)';
export const DEFAULT_DENY = '(default deny)';
export const DEFAULT_ALLOW = '(default allow)';
export const NO_POLICY = '(no policy)';

export const pointerTo = (...parts: readonly string[]): string =>
  parts.map((part) => `/${part.replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
