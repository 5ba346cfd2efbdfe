/**
 * What the gateway calls itself towards clients.
 * @module
 */
import { readFileSync } from 'node:fs';
import type { Implementation } from '../wire/envelope.ts';

const NAME = 'agent-switchboard';

export const PRODUCT: Implementation = { name: NAME, title: 'Switchboard', version: ownVersion() };

/** The package's `package.json` is two folders up from the source and three from what is built of it. */
function ownVersion(): string {
  for (const path of ['../../package.json', '../../../package.json']) {
    try {
      const { name, version } = JSON.parse(readFileSync(new URL(path, import.meta.url), 'utf8'));
      if (name === NAME && typeof version === 'string') return version;
    } catch {
      // Not in this place: try the next one.
    }
  }
  return '0.0.0';
}
