/**
 * The memory of one replica during a chaos run: what it keeps after garbage collection, and what is resident then. Resident memory
 * without a collection says how long there was none, which is longer on a busy machine.
 * @module
 */
import { readFileSync } from 'node:fs';
import type { ServedGateway } from '../e2e/gateway.ts';
import { heapAfterCollection, inspectorOf } from './heap.ts';

export const MB = 1024 * 1024;

export interface MemorySample {
  /** Heap and buffers in use, in bytes. */
  kept: number;
  resident: number;
}

const SAMPLE_MS = 5_000;
const SAID_EVERY = 12;

/** What is known of the memory of a replica. */
export interface Measured {
  readonly samples: readonly MemorySample[];
  /** Samples that were due so far, whether or not they were taken. */
  readonly due: number;
  /** Samples that failed: the inspector did not answer, or the process was gone. */
  readonly failed: number;
}

export class Memory implements Measured {
  readonly samples: MemorySample[] = [];
  due = 0;
  failed = 0;
  readonly #say: (text: string) => void;
  #timer: NodeJS.Timeout | undefined;
  #sampling: Promise<void> | undefined;

  constructor(say: (text: string) => void) {
    this.#say = say;
  }

  /** The replica must have been started with its inspector. */
  watch(replica: ServedGateway | undefined): void {
    const inspector = inspectorOf(replica?.stderr() ?? '');
    if (!replica || inspector === undefined) throw new Error('The replica has no inspector.');
    const { pid } = replica;
    // One at a time: a replica that is suspended answers when it goes on.
    this.#timer = setInterval(() => {
      this.due++;
      this.#sampling ??= this.#sample(inspector, pid).finally(() => {
        this.#sampling = undefined;
      });
    }, SAMPLE_MS);
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#sampling;
  }

  async #sample(inspector: string, pid: number): Promise<void> {
    try {
      const kept = await heapAfterCollection(inspector);
      const resident = residentOf(pid);
      this.samples.push({ kept, resident });
      if (this.samples.length % SAID_EVERY !== 1) return;
      this.#say(`${(kept / MB).toFixed(1)} MB kept after garbage collection, ${Math.round(resident / MB)} MB resident`);
    } catch (error) {
      this.failed++;
      this.#say(`memory is not known: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
}

/** Resident bytes of a process. */
function residentOf(pid: number): number {
  const [, kib = '0'] = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return Number(kib) * 1024;
}
