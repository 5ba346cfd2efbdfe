/**
 * What a tool reports while it runs (SPEC.md 0.1, section 5, "Streaming"), as progress of the call.
 * @module
 */
import type { Call } from '../../src/core/call.ts';
import { head } from '../../src/core/text.ts';
import { isObject } from '../../src/wire/jsonrpc.ts';

const MAX_MESSAGE = 4_000;
/** Reports that are remembered, to recognise those that come twice. */
const REMEMBERED = 64;

export class StreamReports {
  readonly #call: Call;
  /** The package takes the time for `seq`, so two reports may have one: what they say tells them apart. */
  readonly #seen: string[] = [];
  #progress = 0;

  constructor(call: Call) {
    this.#call = call;
  }

  /**
   * Passes a report on. One that comes late still says something, so it is passed on too; `progress` counts what was passed,
   * because that of a call must grow.
   */
  read(payload: Buffer): void {
    const report = parse(payload);
    if (!report || report.type === 'done') return;
    const { seq, content, data } = report;
    const message = head(typeof content === 'string' ? content : JSON.stringify(content ?? data ?? null), MAX_MESSAGE);
    const key = `${String(seq)} ${message}`;
    if (this.#seen.includes(key)) return;
    this.#seen.push(key);
    if (this.#seen.length > REMEMBERED) this.#seen.shift();
    this.#progress++;
    this.#call.notify({
      jsonrpc: '2.0',
      method: 'notifications/progress',
      params: { progress: this.#progress, message },
    });
  }
}

function parse(payload: Buffer) {
  try {
    const report: unknown = JSON.parse(payload.toString('utf8'));
    return isObject(report) ? report : undefined;
  } catch {
    return undefined;
  }
}
