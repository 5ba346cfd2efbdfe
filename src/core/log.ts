/**
 * The log as every layer uses it.
 * @module
 */
/** The few levels an adapter needs; pino satisfies it. */
export interface Log {
  debug(fields: object, message?: string): void;
  info(fields: object, message?: string): void;
  warn(fields: object, message?: string): void;
  error(fields: object, message?: string): void;
}
