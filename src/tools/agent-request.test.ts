import fc from 'fast-check';
import { expect, it } from 'vitest';
import { ADAPTERS } from '../../adapters/index.ts';
import { agentRequest, plainRequest } from './agent-request.ts';

const schema = agentRequest(ADAPTERS);
const text = fc.oneof(fc.string(), fc.constantFrom('', 'graphs/writer', 'x'.repeat(512), 'x'.repeat(513)));
const value = fc.oneof(text, fc.boolean(), fc.integer(), fc.constant(null), fc.constant([]), fc.constant({}));
const NAMES = ['agent', 'message', 'threadId', 'stream', 'input', 'options', 'messages', 'targetAgentId', 'toString'];
const given = fc.dictionary(fc.constantFrom(...NAMES), value, { noNullPrototype: true });
const likely = fc.record(
  { agent: text, message: text, threadId: text, stream: fc.boolean() },
  { requiredKeys: ['agent'], noNullPrototype: true },
);

it('arguments of callAgent that fit at a glance are what the schema makes of them', () => {
  let plain = 0;
  fc.assert(
    fc.property(fc.oneof(given, likely), (args) => {
      const seen = plainRequest(args);
      if (!seen) return;
      plain++;
      expect(schema.safeParse(args)).toEqual({ success: true, data: seen });
    }),
    { numRuns: 2_000, seed: 7 },
  );
  expect(plain).toBeGreaterThan(50);
});

it('arguments of callAgent that the schema refuses do not fit at a glance', () => {
  for (const args of [
    {},
    { agent: 'a' },
    { message: 'x' },
    { agent: '', message: 'x' },
    { agent: 'a', message: '' },
    { agent: 'x'.repeat(513), message: 'x' },
    { agent: 'a', message: 'x', threadId: 'x'.repeat(513) },
    { agent: 'a', message: 'x', stream: 'true' },
    { agent: 'a', message: 'x', unknown: 'y' },
  ]) {
    expect([args, plainRequest(args), schema.safeParse(args).success]).toEqual([args, undefined, false]);
  }
});
