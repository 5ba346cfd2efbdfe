/**
 * A log that no caller can flood. Of lines with one message about one principal (`principal` in their fields) so many are
 * written in each window of time; then one line says how many were left out. Lines that name no principal are
 * bounded by their message alone.
 * @module
 */
import type { Log } from '../core/log.ts';

export interface LogBounds {
  /** Lines of one message and one principal in each window. At `debug` an operator watches single requests. */
  lines: number;
  debugLines: number;
  windowMs: number;
}

const LOG_BOUNDS: LogBounds = { lines: 50, debugLines: 2_000, windowMs: 10_000 };

/** Messages and principals that are counted at a time; beyond that what was left out is written and counting begins anew. */
const MAX_COUNTED = 10_000;

type Level = 'debug' | 'info' | 'warn' | 'error';

interface Counted {
  readonly level: Level;
  readonly message: string;
  readonly principal: unknown;
  lines: number;
}

/** `flush` writes how many lines were left out so far. */
export function boundedLog(log: Log, bounds: LogBounds = LOG_BOUNDS): { log: Log; flush(): void } {
  const counts = new Map<string, Counted>();
  let timer: NodeJS.Timeout | undefined;

  function flush(): void {
    clearTimeout(timer);
    timer = undefined;
    const over = [...counts.values()];
    counts.clear();
    for (const { level, message, principal, lines } of over) {
      const left = lines - maxOf(level);
      if (left <= 0) continue;
      const whose = principal === undefined ? {} : { principal };
      log[level]({ ...whose, lines: left, of: message }, 'Log lines of one kind were left out: there were too many.');
    }
  }

  const maxOf = (level: Level): number => (level === 'debug' ? bounds.debugLines : bounds.lines);

  const write = (level: Level, fields: object, message = ''): void => {
    const { principal } = fields as { principal?: unknown };
    const key = `${level}\n${String(principal ?? '')}\n${message}`;
    let counted = counts.get(key);
    if (!counted) {
      if (counts.size >= MAX_COUNTED) flush();
      counted = { level, message, principal, lines: 0 };
      counts.set(key, counted);
      timer ??= setTimeout(flush, bounds.windowMs).unref();
    }
    if (counted.lines++ < maxOf(level)) log[level](fields, message);
  };

  return {
    log: {
      debug(fields, message) {
        if (log.isLevelEnabled?.('debug') !== false) write('debug', fields, message);
      },
      info: (fields, message) => write('info', fields, message),
      warn: (fields, message) => write('warn', fields, message),
      error: (fields, message) => write('error', fields, message),
      isLevelEnabled: (level) => log.isLevelEnabled?.(level) === true,
    },
    flush,
  };
}
