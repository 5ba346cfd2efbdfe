/**
 * Text for a terminal.
 * @module
 */

export { oneLine, safeText } from '../../core/visible.ts';

export function bytes(count: number): string {
  if (count < 1024) return `${count} bytes`;
  return count < 1024 * 1024 ? `${(count / 1024).toFixed(1)} KiB` : `${(count / 1024 / 1024).toFixed(1)} MiB`;
}
