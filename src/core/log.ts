/**
 * The log as every layer uses it.
 * @module
 */

/** A pino logger is one. */
export interface Log {
  debug(fields: object, message?: string): void;
  info(fields: object, message?: string): void;
  warn(fields: object, message?: string): void;
  error(fields: object, message?: string): void;
  /** Whether lines of this level are written. A log without it has none at `debug` made for it. */
  isLevelEnabled?(level: string): boolean;
}

/** A log that passes everything on, to be changed in parts. */
export const forwarding = (log: Log): Log => ({
  debug: (fields, message) => log.debug(fields, message),
  info: (fields, message) => log.info(fields, message),
  warn: (fields, message) => log.warn(fields, message),
  error: (fields, message) => log.error(fields, message),
  isLevelEnabled: (level) => log.isLevelEnabled?.(level) === true,
});
