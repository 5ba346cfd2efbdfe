/**
 * Names of the gateway's own tools, which no upstream's tool may be taken for.
 * @module
 */

export const OWN_TOOLS: ReadonlySet<string> = new Set([
  'connectServer',
  'disconnectServer',
  'listServers',
  'listAgents',
  'describeAgent',
  'callAgent',
]);
