/**
 * What requests to servers use of undici: its pools. The package's entry also loads its `fetch`, WebSocket, caches and mocks, five
 * times as many modules, which held up the first requests of every client while the first server was connected.
 * @module
 */
import { createRequire } from 'node:module';

type Undici = typeof import('undici');

const require = createRequire(import.meta.url);

export const { Pool, buildConnector } = load();

function load(): Pick<Undici, 'Pool' | 'buildConnector'> {
  try {
    return { Pool: require('undici/lib/dispatcher/pool.js'), buildConnector: require('undici/lib/core/connect.js') };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'MODULE_NOT_FOUND') throw error;
    // The package documents its entry alone: a version that keeps its files elsewhere has them there all the same.
    return require('undici') as Undici;
  }
}
