import { expect, it } from 'vitest';
import { z } from 'zod';
import { ADAPTERS } from '../../adapters/index.ts';
import { AGENT_OUTPUT_SCHEMA } from '../core/agent-tool.ts';
import { callAgent } from './call-agent.ts';

it('the structured content of an agent has the same members from its tool and from callAgent', () => {
  const ofTool = AGENT_OUTPUT_SCHEMA as { properties: object; required: string[] };
  const ofCall = z.toJSONSchema(callAgent(ADAPTERS).output) as { properties: object; required: string[] };
  expect(Object.keys(ofTool.properties).sort()).toEqual(Object.keys(ofCall.properties).sort());
  expect(ofTool.required.toSorted()).toEqual(ofCall.required.toSorted());
});
