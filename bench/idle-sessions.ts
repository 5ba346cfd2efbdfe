/**
 * Legacy sessions that exist and do nothing, for measuring what one costs. They share a few connections, as the cost of
 * a session is asked for and not that of a socket; `streaming` ones keep a socket each, as clients with a GET stream do.
 * @module
 */
import { type ClientRequest, type IncomingMessage, request } from 'node:http';
import { openSession } from './caller.ts';
import { replyProblem } from './check-reply.ts';
import type { OpenSessions } from './load-types.ts';
import { callTemplate, legacyHeaders, listTemplate, type Template } from './messages.ts';
import { Connection } from './post.ts';

const CONNECTIONS = 8;
const HEAD_TIMEOUT_MS = 10_000;

export class IdleSessions {
  readonly #options: OpenSessions;
  readonly #connections: Connection[];
  readonly #ids: string[] = [];
  readonly #streams: ClientRequest[] = [];

  private constructor(options: OpenSessions) {
    this.#options = options;
    this.#connections = Array.from({ length: CONNECTIONS }, () => new Connection(options.port, options.path));
  }

  static async open(options: OpenSessions): Promise<IdleSessions> {
    const sessions = new IdleSessions(options);
    let left = options.count;
    await sessions.#eachConnection(async (connection) => {
      while (left-- > 0) await sessions.#openOne(connection);
    });
    return sessions;
  }

  async #openOne(connection: Connection): Promise<void> {
    const sessionId = await openSession(connection);
    if (sessionId === undefined) throw new Error('the server issues no sessions');
    this.#ids.push(sessionId);
    await exchange(connection, listTemplate('legacy', undefined, sessionId), 'list');
    if (this.#options.life === 'called') {
      await exchange(connection, callTemplate('legacy', 'small', this.#options.tool, sessionId), 'small');
    } else if (this.#options.life === 'streaming') {
      await this.#openStream(sessionId);
    }
  }

  #openStream(sessionId: string): Promise<void> {
    const { port, path } = this.#options;
    const headers = { ...legacyHeaders(sessionId), accept: 'text/event-stream' };
    return new Promise((resolve, reject) => {
      const stream = request({ host: '127.0.0.1', port, path, method: 'GET', headers, agent: false });
      stream.on('error', reject);
      // Only the head is waited for; a stream that is open stays quiet as long as it likes.
      stream.setTimeout(HEAD_TIMEOUT_MS, () => reject(new Error('GET stream: no answer')));
      stream.on('response', (response: IncomingMessage) => {
        response.on('error', () => {});
        response.resume();
        if (response.statusCode === 200) resolve();
        else reject(new Error(`GET stream answered with ${response.statusCode}`));
      });
      stream.end();
      this.#streams.push(stream);
    });
  }

  async close(): Promise<void> {
    for (const stream of this.#streams) stream.destroy();
    await this.#eachConnection(async (connection) => {
      for (let id = this.#ids.pop(); id !== undefined; id = this.#ids.pop()) await connection.delete(legacyHeaders(id));
    });
    await Promise.all(this.#connections.map((connection) => connection.close()));
  }

  async #eachConnection(work: (connection: Connection) => Promise<void>): Promise<void> {
    await Promise.all(this.#connections.map(work));
  }
}

async function exchange(connection: Connection, template: Template, operation: 'list' | 'small'): Promise<void> {
  const reply = await connection.post(template.headers, `${template.before}1${template.after}`);
  const problem = replyProblem(reply, 1, operation);
  if (problem !== undefined) throw new Error(problem);
}
