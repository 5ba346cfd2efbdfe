/**
 * The event log in SQLite.
 * @module
 */
import { EVENT_LIMITS, type EventLog, type JsonValue, type LoggedEvent } from '../state.ts';
import type { Database } from './database.ts';

export const EVENTS_SCHEMA = `
  CREATE TABLE IF NOT EXISTS events (
    id INTEGER PRIMARY KEY AUTOINCREMENT, topic TEXT NOT NULL, at REAL NOT NULL, event TEXT NOT NULL
  ) STRICT;
  CREATE INDEX IF NOT EXISTS events_by_topic ON events (topic, id)`;

export class SqliteEventLog implements EventLog {
  readonly #db: Database;
  readonly #sql;

  constructor(db: Database) {
    this.#db = db;
    this.#sql = {
      add: db.prepare('INSERT INTO events (topic, at, event) VALUES (?, ?, ?)'),
      trim: db.prepare(`DELETE FROM events WHERE topic = ?1 AND (at <= ?2 OR id <=
        (SELECT id FROM events WHERE topic = ?1 ORDER BY id DESC LIMIT 1 OFFSET ${EVENT_LIMITS.perTopic}))`),
      read: db.prepare('SELECT id, event FROM events WHERE topic = ? AND id > ? ORDER BY id'),
      has: db.prepare('SELECT 1 FROM events WHERE topic = ? AND id = ?'),
      last: db.prepare('SELECT max(id) AS id FROM events WHERE topic = ?'),
    };
  }

  async append(topic: string, event: JsonValue): Promise<number> {
    return this.#db.transact(() => {
      const { lastInsertRowid } = this.#sql.add.run(topic, Date.now(), JSON.stringify(event));
      this.#sql.trim.run(topic, Date.now() - EVENT_LIMITS.keepMs);
      return Number(lastInsertRowid);
    });
  }

  async read(topic: string, after: number): Promise<{ events: LoggedEvent[]; complete: boolean }> {
    return this.readNow(topic, after);
  }

  readNow(topic: string, after: number): { events: LoggedEvent[]; complete: boolean } {
    const rows = this.#sql.read.all(topic, after);
    const events = rows.map(({ id, event }) => ({ id: Number(id), event: JSON.parse(String(event)) as JsonValue }));
    return { events, complete: after === 0 || this.#sql.has.get(topic, after) !== undefined };
  }

  /** The newest event of a topic, or 0. */
  lastId(topic: string): number {
    return Number(this.#sql.last.get(topic)?.id ?? 0);
  }
}
