/**
 * A gateway in a process of its own that says how much it holds: it sends its address when it listens, and the bytes of live
 * objects whenever it is sent a message. Run with `--expose-gc`, the folder of a `servers.json` and an IPC channel.
 * @module
 */
import { startGateway } from '../e2e/gateway.ts';

const { gc } = globalThis as { gc?: () => void };
const [folder] = process.argv.slice(2);
if (!gc || !folder || !process.send) throw new Error('it needs --expose-gc, a folder and an IPC channel');
const collect = gc;

const gateway = await startGateway({ folder, keepsLog: false });
await gateway.gateway.settled();

process.on('message', async () => {
  // What a reply still refers to as it ends is let go some turns of the event loop later.
  for (let i = 0; i < 5; i++) {
    await new Promise((resolve) => setImmediate(resolve));
    collect();
  }
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  process.send?.({ liveBytes: heapUsed + arrayBuffers });
});
// It ends with the test, whatever becomes of that.
process.once('disconnect', () => void gateway.close().then(() => process.exit()));
if (process.connected) process.send({ url: gateway.url });
else process.exit();
