/**
 * The configuration file after an edit, in the other replicas. An edit is never sent to them, since it may hold secrets and name commands
 * to run: each looks at the file that it was configured with. One that reads the same file, or a copy that says the same by then, takes
 * it on; one with a file of its own stays as it is and says so.
 * @module
 */
import { setTimeout as pause } from 'node:timers/promises';
import { sha256 } from '../../core/hash.ts';
import type { Elsewhere } from './replica-actions.ts';
import type { ConfigurationFile, PageSources } from './sources.ts';

const ACTION = 'configuration';
/** Network file systems show for some seconds what a file said before. */
const SHOWN_MS = 4_000;
const LOOK_EVERY_MS = 250;

/** What another replica says: `none` is one whose configuration is in no file. */
export type Reads = 'same' | 'another' | 'none';

/** This replica looks at its file when it was edited at another one. */
export function followFile({ configuration, actions }: PageSources): void {
  actions.on(ACTION, async ({ digest }) => {
    if (configuration === undefined) return { reads: 'none' };
    const text = await textOf(configuration, String(digest));
    if (text === undefined) return { reads: 'another', file: configuration.file };
    // What it names of its machine, such as variables of the environment, may be missing here.
    await configuration.check(text);
    await configuration.reread?.();
    return { reads: 'same' };
  });
}

/** What the others made of the text that was written. */
export const followedElsewhere = ({ actions }: PageSources, written: string): Promise<Elsewhere> =>
  actions.elsewhere(ACTION, { digest: sha256(written) });

/** The text of this digest, as soon as the file has it. */
async function textOf(configuration: ConfigurationFile, digest: string): Promise<string | undefined> {
  for (const until = performance.now() + SHOWN_MS; ; await pause(LOOK_EVERY_MS)) {
    const text = await configuration.read();
    if (sha256(text) === digest) return text;
    if (performance.now() >= until) return undefined;
  }
}
