/**
 * What a process keeps: its heap after garbage collection, with the buffers that belong to it, read by Node's inspector. Resident memory
 * says less: it grows until the next collection, and on a busy machine that is later.
 * @module
 */
import { setTimeout as pause } from 'node:timers/promises';

/** A process that is suspended answers when it goes on. */
const ANSWER_MS = 60_000;

/** The address of the inspector of a process that was started with `--inspect`, as it says it on stderr. */
export const inspectorOf = (stderr: string): string | undefined => /ws:\/\/127\.0\.0\.1:\d+\/[\w-]+/.exec(stderr)?.[0];

interface HeapUsage {
  usedSize: number;
  backingStorageSize?: number;
}

/** Bytes in use after garbage collection. */
export async function heapAfterCollection(inspector: string): Promise<number> {
  const socket = new WebSocket(inspector);
  try {
    await new Promise((resolve, reject) => {
      socket.onopen = resolve;
      socket.onerror = () => reject(new Error('The inspector refuses connections.'));
    });
    // What one collection finds to be finalized, a second one frees.
    await asked(socket, 1, 'HeapProfiler.collectGarbage');
    await pause(50);
    await asked(socket, 2, 'HeapProfiler.collectGarbage');
    const { usedSize, backingStorageSize = 0 } = (await asked(socket, 3, 'Runtime.getHeapUsage')) as HeapUsage;
    return usedSize + backingStorageSize;
  } finally {
    socket.close();
  }
}

function asked(socket: WebSocket, id: number, method: string): Promise<unknown> {
  const { promise, resolve, reject } = Promise.withResolvers<unknown>();
  const deadline = setTimeout(() => reject(new Error(`The inspector does not answer ${method}.`)), ANSWER_MS);
  const heard = ({ data }: MessageEvent): void => {
    const message = JSON.parse(String(data)) as { id?: number; result?: unknown; error?: { message: string } };
    if (message.id !== id) return;
    if (message.error) reject(new Error(message.error.message));
    else resolve(message.result);
  };
  socket.addEventListener('message', heard);
  socket.addEventListener('close', () => reject(new Error('The process has ended.')));
  socket.send(JSON.stringify({ id, method }));
  return promise.finally(() => {
    clearTimeout(deadline);
    socket.removeEventListener('message', heard);
  });
}
