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
    const { code = '' } = error as NodeJS.ErrnoException;
    if (!['MODULE_NOT_FOUND', 'ERR_PACKAGE_PATH_NOT_EXPORTED'].includes(code)) throw error;
    // The package documents its entry alone: a version that keeps its files elsewhere, or to itself, has them there all the same.
    return require('undici') as Undici;
  }
}
