import { expect, it } from 'vitest';
import { unknownName } from './unknown-name.ts';

it.each([
  ['tools', 'SWB_UNKNOWN_TOOL', "Unknown tool: 'asked'. List the tools to see what there is.", {}],
  ['prompts', 'SWB_UNKNOWN_PROMPT', "Unknown prompt: 'asked'. List the prompts to see what there is.", {}],
  [
    'resources',
    'SWB_UNKNOWN_RESOURCE',
    "Unknown resource: 'asked'. List the resources to see what there is.",
    { uri: 'asked' },
  ],
  ['agents', 'SWB_UNKNOWN_AGENT', "Unknown agent: 'asked'. List the agents to see what there is.", {}],
  ['methods', 'SWB_METHOD_NOT_FOUND', "Method not found: 'asked'.", {}],
] as const)('of %s is said in one way, by the name that was asked for', (section, code, message, data) => {
  expect(unknownName(section, 'asked')).toMatchObject({ code, message, data: { code, ...data } });
});
