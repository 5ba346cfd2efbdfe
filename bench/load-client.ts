/**
 * The load generator as the run speaks to it.
 * @module
 */
import { Child } from './child.ts';
import type { LoadJob, LoadReply, LoadRequest, Window } from './load-types.ts';

export class LoadClient {
  readonly #child: Child;

  constructor(core: number | undefined) {
    this.#child = new Child({ script: new URL('load.ts', import.meta.url), core, channel: true });
  }

  /** Opens the callers of a load and lets them make the calls before anything is measured. */
  async prepare(job: LoadJob): Promise<void> {
    await this.#ask({ kind: 'prepare', job });
  }

  async measure(durationMs: number): Promise<Window> {
    return (await this.#ask({ kind: 'measure', durationMs })) as Window;
  }

  async measureCalls(calls: number): Promise<Window> {
    return (await this.#ask({ kind: 'measure-calls', calls })) as Window;
  }

  async finish(): Promise<void> {
    await this.#ask({ kind: 'finish' });
  }

  async #ask(request: LoadRequest): Promise<Window | undefined> {
    const reply = await this.#child.ask<LoadReply>(request);
    if (!reply.ok) throw new RowFailed(reply.errors, reply.error);
    return reply.window;
  }

  stop(): Promise<void> {
    return this.#child.stop();
  }
}

/** A row that had a wrong reply: it has no figures. */
export class RowFailed extends Error {
  readonly errors: number;

  constructor(errors: number, first: string) {
    super(`${errors} ${errors === 1 ? 'error' : 'errors'}, the first: ${first}`);
    this.errors = errors;
  }
}
