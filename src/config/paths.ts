/**
 * Paths as people write them.
 * @module
 */
import { homedir } from 'node:os';

/** `~` and `~/…` mean the home folder, as in shells. */
export const expandHome = (path: string): string => path.replace(/^~(?=$|[/\\])/, () => homedir());
