/**
 * Tools with schemas, and a log that remembers.
 * @module
 */

import type { Log } from '../../../core/log.ts';
import type { Entry } from '../../../core/upstream.ts';

export const entry = (inputSchema: unknown, key = 'tool'): Entry => ({ key, value: { name: key, inputSchema } });

export const object = (properties: object, rest: object = {}): object => ({ type: 'object', properties, ...rest });

export interface Warning {
  fields: { server?: string; tool?: string; why?: string };
  message: string;
}

export function recorder(): Log & { warnings: Warning[] } {
  const warnings: Warning[] = [];
  const warn = (fields: object, message = ''): void => void warnings.push({ fields, message });
  return { warnings, warn, debug() {}, info() {}, error() {} };
}
