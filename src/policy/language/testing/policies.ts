/**
 * The policies printed on the published pages of four tools: each allows its tool so many calls a minute and nothing else.
 * @module
 */

const published = (tool: string, max: number) => ({
  version: '1',
  default: 'deny',
  tools: {
    [tool]: { limits: [{ counter: `${tool.toLowerCase()}_rate`, window: 'minute', max, scope: 'grant' }] },
  },
});

/** By tool, with the calls a minute that it allows. */
export const PUBLISHED_POLICIES = [
  { tool: 'mqttConnect', max: 10, policy: published('mqttConnect', 10) },
  { tool: 'mqttDisconnect', max: 60, policy: published('mqttDisconnect', 60) },
  { tool: 'create_connection', max: 30, policy: published('create_connection', 30) },
  { tool: 'connectServer', max: 30, policy: published('connectServer', 30) },
] as const;
