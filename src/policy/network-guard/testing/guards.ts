/**
 * Guards for tests, with resolvers of their own.
 * @module
 */
import type { LookupFunction } from 'node:net';
import { expect } from 'vitest';
import { SwitchboardError } from '../../../core/errors.ts';
import { createNetworkGuard, type Resolve } from '../network-guard.ts';

/** A resolver that gives every name these addresses. */
export const answers =
  (...addresses: string[]): Resolve =>
  async () =>
    addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }));

export const unasked: Resolve = async () => {
  throw new Error('an address needs no resolver');
};

export const guardFor = (resolve: Resolve = unasked, allowPrivate: string[] = []) =>
  createNetworkGuard({ allowPrivate, resolve, resolveTimeoutMs: 200 });

/** The reason a URL is refused for, `invalid` when it is not even a URL, or undefined when it may be connected to. */
export async function refusedFor(url: string, guard = guardFor()): Promise<unknown> {
  if (!URL.canParse(url)) return 'invalid';
  try {
    await guard.check(new URL(url));
    return undefined;
  } catch (error) {
    if (!(error instanceof SwitchboardError)) throw error;
    expect(error.code).toBe('SWB_URL_REFUSED');
    return error.data.reason;
  }
}

export const lookup = (guard: { lookup: LookupFunction }, host: string, options: object) =>
  new Promise<unknown>((resolve, reject) => {
    guard.lookup(host, options, (error, address, family) =>
      error ? reject(error) : resolve(family === undefined ? address : { address, family }),
    );
  });
