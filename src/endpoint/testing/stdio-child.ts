/**
 * The stdio endpoint over the stub relay as a process of its own, for clients that start their server.
 * @module
 */
import { serveStdio } from '../stdio/serve.ts';
import { silentLog } from './http.ts';
import { StubRelay, stubFederation } from './stub-relay.ts';

const { closed } = serveStdio({
  relay: new StubRelay(),
  view: stubFederation().all,
  input: process.stdin,
  output: process.stdout,
  log: silentLog,
});
await closed;
process.exit(0);
