/**
 * The event log in Redis: a stream for each topic. An id is the time of the event in milliseconds, or the next number
 * where two share one, so that ids grow also when a topic was empty in between.
 * @module
 */
import { EVENT_LIMITS, type EventLog, type JsonValue, type LoggedEvent } from '../state.ts';
import type { RedisConnection } from './connection.ts';

interface Scripts {
  swbEvents(key: string, ...values: (string | number)[]): Promise<unknown>;
}

export const EVENTS_SCRIPT = `
local stream = KEYS[1]
if ARGV[1] == 'append' then
  local time = redis.call('TIME')
  local now = time[1] * 1000 + math.floor(time[2] / 1000)
  local last = redis.call('XREVRANGE', stream, '+', '-', 'COUNT', 1)[1]
  local id = now
  if last then id = math.max(now, tonumber(string.match(last[1], '^%d+')) + 1) end
  redis.call('XADD', stream, 'MAXLEN', '=', ARGV[3], string.format('%.0f-0', id), 'e', ARGV[2])
  redis.call('XTRIM', stream, 'MINID', '=', string.format('%.0f', now - tonumber(ARGV[4])))
  redis.call('PEXPIRE', stream, ARGV[4])
  return string.format('%.0f', id)
end
local found = {}
for _, entry in ipairs(redis.call('XRANGE', stream, '(' .. ARGV[2] .. '-0', '+')) do
  found[#found + 1] = string.match(entry[1], '^%d+')
  found[#found + 1] = entry[2][2]
end
local complete = ARGV[2] == '0' or #redis.call('XRANGE', stream, ARGV[2] .. '-0', ARGV[2] .. '-0') > 0
return { complete and 1 or 0, found }
`;

export class RedisEventLog implements EventLog {
  readonly #connection: RedisConnection;
  readonly #prefix: string;

  constructor(connection: RedisConnection, prefix: string) {
    this.#connection = connection;
    this.#prefix = prefix;
  }

  async append(topic: string, event: JsonValue): Promise<number> {
    const { perTopic, keepMs } = EVENT_LIMITS;
    return Number(await this.#run(topic, 'append', JSON.stringify(event), perTopic, keepMs));
  }

  async read(topic: string, after: number): Promise<{ events: LoggedEvent[]; complete: boolean }> {
    const [complete, found] = (await this.#run(topic, 'read', after)) as [number, string[]];
    const events: LoggedEvent[] = [];
    for (let at = 0; at < found.length; at += 2) {
      events.push({ id: Number(found[at]), event: JSON.parse(found[at + 1] as string) as JsonValue });
    }
    return { events, complete: complete === 1 };
  }

  #run(topic: string, ...values: (string | number)[]): Promise<unknown> {
    const key = `${this.#prefix}{events:${topic}}`;
    return this.#connection.run((client) => (client as unknown as Scripts).swbEvents(key, ...values));
  }
}
