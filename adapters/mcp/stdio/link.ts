/**
 * The stdio transport of both eras: one JSON-RPC message per line, in a child of the gateway's.
 * @module
 */

import type { ConnectContext, Target } from '../../../src/core/adapter.ts';
import { SwitchboardError } from '../../../src/core/errors.ts';
import type { Log } from '../../../src/core/log.ts';
import { encodeMessage } from '../../../src/wire/json/source.ts';
import type { Notification, Request, Response } from '../../../src/wire/jsonrpc.ts';
import { ResponseHandlers, tooLarge } from '../session/duplex.ts';
import type { Link, LinkEvents, ResponseHandler, Sent } from '../session/link.ts';
import { Child } from './child.ts';

/** Input the child has not read yet: beyond this it is taken for stuck. */
const MAX_UNREAD_BYTES = 16 * 1024 * 1024;

export interface StdioContext {
  readonly name: string;
  readonly target: Target & { transport: 'stdio' };
  readonly maxReplyBytes: number;
  readonly log: Log;
  /** Something was written to stderr. */
  readonly onStderr?: (() => void) | undefined;
  /** Called with every request that was written, as text. */
  readonly sending?: ConnectContext['sending'];
}

export class StdioLink implements Link {
  readonly ownStreams = false;
  readonly stateful = true;
  readonly #context: StdioContext;
  readonly #responses: ResponseHandlers;
  readonly #child: Child;
  #ignored = 0;
  #ended: Error | undefined;

  constructor(context: StdioContext) {
    this.#context = context;
    this.#responses = new ResponseHandlers((what) => this.#noisy(what));
    this.#child = new Child(context.target, context.name, context.maxReplyBytes, context.log, {
      line: (line) => this.#responses.receive(line),
      ...(context.onStderr ? { stderr: context.onStderr } : {}),
      oversize: (edges) => this.#responses.oversize(tooLarge(context.name, context.maxReplyBytes), edges),
      exited: (reason) => {
        this.#ended = reason;
        this.events.lost(reason, this.#responses.failAll(reason));
      },
    });
  }

  get events(): LinkEvents {
    return this.#responses.events;
  }

  set events(events: LinkEvents) {
    this.#responses.events = events;
  }

  send(message: Request, handler: ResponseHandler): Sent {
    const sent = this.#responses.add(handler);
    if (this.#write(message)) {
      handler.sent?.();
      if (this.#child.started) this.#context.sending?.(JSON.stringify(message));
    } else this.#responses.fail(handler, this.#ended ?? this.#stuck());
    return sent;
  }

  async post(message: Notification | Response): Promise<void> {
    this.#write(message);
  }

  async close(reason: Error): Promise<void> {
    this.#ended ??= reason;
    this.#responses.failAll(reason);
    await this.#child.close();
  }

  #write(message: Request | Notification | Response): boolean {
    // A client's text may break lines between tokens, where any other space does as well.
    const line = encodeMessage(message).replace(/[\r\n]/g, ' ');
    return this.#child.write(line, MAX_UNREAD_BYTES);
  }

  #stuck(): SwitchboardError {
    return new SwitchboardError(
      'SWB_UPSTREAM_UNAVAILABLE',
      `Server '${this.#context.name}' does not take any more requests: it has stopped reading.`,
    );
  }

  /** Programs print banners and warnings; what is no message is skipped, and logged once. */
  #noisy(what: string): void {
    const { log, name } = this.#context;
    if (this.#ignored++ === 0)
      log.info({ server: name }, `the server's stdout has ${what} on it; such lines are skipped`);
    else log.debug({ server: name }, `skipped ${what}`);
  }
}
