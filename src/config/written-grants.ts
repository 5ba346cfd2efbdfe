/**
 * The grants of a configuration file as they are written there.
 * @module
 */
import { isObject, type JsonObject } from '../wire/jsonrpc.ts';
import { parseJsonc } from './jsonc.ts';

/** By name. None where the file has no such section. */
export function grantsIn(text: string): JsonObject {
  const { value } = parseJsonc(text.replace(/^\ufeff/, ''));
  const gateway = isObject(value) ? value.gateway : undefined;
  return isObject(gateway) && isObject(gateway.grants) ? gateway.grants : {};
}
