/**
 * One caller of the closed loop: a connection, the session of a legacy client, and one call after the other.
 * @module
 */
import { parseReply, replyProblem, resultProblem } from './check-reply.ts';
import type { LoadJob } from './load-types.ts';
import {
  askedTemplate,
  type CallOperation,
  callTemplate,
  INITIALIZE,
  INITIALIZE_HEADERS,
  INITIALIZED,
  legacyHeaders,
  listTemplate,
  type Template,
} from './messages.ts';
import { Connection } from './post.ts';

/** Every so many calls the reply is parsed and compared whole. */
const DEEP_CHECK_EVERY = 256;

/** Ids are unique over all callers, so that a reply to another caller's request is noticed. */
let lastId = 0;

export class Caller {
  readonly #job: LoadJob;
  readonly #connection: Connection;
  #sessionId: string | undefined;
  #template: Template | undefined;
  #sinceDeepCheck = DEEP_CHECK_EVERY;
  /** HTTP requests of calls, so far. */
  requests = 0;

  constructor(job: LoadJob) {
    this.#job = job;
    this.#connection = new Connection(job.port, job.path);
  }

  /** What a real client does before its first call. */
  async open(): Promise<void> {
    const { era, headers } = this.#job;
    if (era === 'legacy') this.#sessionId = await openSession(this.#connection, headers);
    this.#template = this.#withHeaders(this.#newTemplate());
  }

  #newTemplate(): Template {
    const { era, operation, tool, asked } = this.#job;
    if (operation === 'list') return listTemplate(era, undefined, this.#sessionId);
    if (asked) return askedTemplate(era, tool, asked, this.#sessionId);
    return callTemplate(era, operation, tool, this.#sessionId);
  }

  /** One call, or one whole listing with all its pages. Throws when a reply is not the right one. */
  async call(): Promise<void> {
    const deep = ++this.#sinceDeepCheck > DEEP_CHECK_EVERY;
    if (deep) this.#sinceDeepCheck = 0;
    if (this.#job.operation === 'list') await this.#list(deep);
    else await this.#callTool(this.#job.operation, deep);
  }

  async #callTool(operation: CallOperation, deep: boolean): Promise<void> {
    const reply = await this.#exchange(this.#template as Template);
    const problem = deep ? resultProblem(reply, operation, this.#job.asked) : undefined;
    if (problem !== undefined) throw new Error(problem);
  }

  async #list(deep: boolean): Promise<void> {
    let template = this.#template as Template;
    let listed = 0;
    for (;;) {
      const reply = await this.#exchange(template);
      // Parsed only where it has to be: half a megabyte each time would make the load generator the bottleneck.
      const paged = reply.body.includes('"nextCursor"');
      if (!paged && !deep) return;
      const { tools, nextCursor } = parseReply(reply).result;
      listed += tools?.length ?? 0;
      if (nextCursor === undefined) break;
      template = this.#withHeaders(listTemplate(this.#job.era, nextCursor, this.#sessionId));
    }
    if (listed < this.#job.tools) throw new Error(`${listed} tools listed, at least ${this.#job.tools} expected`);
  }

  #withHeaders(template: Template): Template {
    const { headers } = this.#job;
    return headers ? { ...template, headers: { ...template.headers, ...headers } } : template;
  }

  async #exchange({ before, after, headers }: Template): ReturnType<Connection['post']> {
    const id = ++lastId;
    this.requests++;
    const reply = await this.#connection.post(headers, before + id + after);
    const problem = replyProblem(reply, id, this.#job.operation);
    if (problem !== undefined) throw new Error(problem);
    return reply;
  }

  async close(): Promise<void> {
    if (this.#sessionId !== undefined) {
      await this.#connection.delete({ ...legacyHeaders(this.#sessionId), ...this.#job.headers }).catch(() => {});
    }
    await this.#connection.close();
  }
}

/** `initialize` and `notifications/initialized`. Returns the session's id; servers may have none. */
export async function openSession(
  connection: Connection,
  headers?: Readonly<Record<string, string>>,
): Promise<string | undefined> {
  const reply = await connection.post({ ...INITIALIZE_HEADERS, ...headers }, INITIALIZE);
  if (reply.status !== 200 || !reply.body.includes('"protocolVersion"')) {
    throw new Error(`initialize failed with ${reply.status}: ${reply.body.toString('utf8', 0, 300)}`);
  }
  const accepted = await connection.post({ ...legacyHeaders(reply.sessionId), ...headers }, INITIALIZED);
  if (accepted.status !== 202) throw new Error(`notifications/initialized answered with ${accepted.status}`);
  return reply.sessionId;
}
