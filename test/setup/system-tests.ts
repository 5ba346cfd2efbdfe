/**
 * System tests: they start what people start (the command in a process of its own, a browser at its pages, the installed package, the
 * commands that README and docs print, the bench, the demo), or wait for servers to die, to be silent and to come back. They are a
 * tenth of the tests and take over half of the time, so `npm test` leaves them to `npm run test:all`, which CI runs. Most other tests
 * have the gateway in their own process, against real servers.
 * @module
 */

export const SYSTEM = [
  'adapters/mcp/{mqtt/mqtt,stdio/stdio}.test.ts',
  'src/cli/{bin,main,start}.test.ts',
  'test/{bench,docs,package,pages}/**/*.test.ts',
  'test/auth/{bridge-browser,bridge-suite,connect-browser}.test.ts',
  'test/e2e/{admin-replicas,cancellation,check,client-capabilities,clients,command,connect,demo,example-oauth,examples}.test.ts',
  'test/e2e/{first-list,hot-edit,old-node,taken-over,three-replicas}.test.ts',
  'test/e2e/{agent-runs,kept-turns,kept-webhooks,life,old-sse,recovery,redis}.test.ts',
  'test/extensions/{notifications,suite,tasks-legacy}.test.ts',
  'test/founding/{livetap,mcp-agent-proxy}.test.ts',
  'test/library/{serving,types}.test.ts',
  'test/mqtt/faults.test.ts',
  'test/policy/lock.test.ts',
  'src/state/redis/redis-topologies.test.ts',
];
