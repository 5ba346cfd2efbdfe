import { describe, expect, it } from 'vitest';
import { fieldsOf, readSchemas } from './schemas.ts';

const LONG = 'x'.repeat(5_000);
const javascript = {
  type: 'object',
  properties: {
    messages: {
      type: 'array',
      items: { $ref: '#/definitions/BaseMessage<MessageStructure<MessageToolSet>,MessageType>' },
    },
    plan: { $ref: '#/definitions/Plan' },
  },
  definitions: {
    'BaseMessage<MessageStructure<MessageToolSet>,MessageType>': { description: LONG, type: 'object' },
    Plan: { type: 'object', properties: { step: { $ref: '#/definitions/Step' } } },
    Step: { type: 'string' },
    Unused: { description: LONG },
  },
};

describe('the schema of a graph', () => {
  it('of a conversation is what there is besides the messages, with the definitions that are used', () => {
    expect(readSchemas({ input_schema: javascript })).toMatchObject({
      takesMessages: true,
      input: {
        type: 'object',
        properties: { plan: { $ref: '#/definitions/Plan' } },
        definitions: { Plan: javascript.definitions.Plan, Step: { type: 'string' } },
      },
    });
  });

  it('of nothing but a conversation is none, also as the Python server writes it', () => {
    const python = {
      $defs: { AIMessage: { description: LONG }, HumanMessage: {} },
      properties: {
        messages: {
          type: 'array',
          items: { oneOf: [{ $ref: '#/$defs/AIMessage' }, { $ref: '#/$defs/HumanMessage' }] },
        },
      },
      type: 'object',
    };
    expect(readSchemas({ input_schema: python })).toMatchObject({ takesMessages: true, input: undefined });
  });

  it('of data says so', () => {
    const data = { type: 'object', properties: { a: { type: 'number' }, b: {} }, required: ['a'], $schema: 'x' };
    const { input, takesMessages } = readSchemas({ input_schema: data, output_schema: data });
    expect(takesMessages).toBe(false);
    expect(input).toEqual({ type: 'object', properties: data.properties, required: ['a'] });
    expect(fieldsOf(input ?? {})).toBe('a (number), b');
  });

  it('that is longer than a page is shown by names and types', () => {
    const properties = Object.fromEntries(
      Array.from({ length: 80 }, (_, i) => [
        `field${i}`,
        { type: 'string', description: `${LONG}\nmore`, enum: [LONG] },
      ]),
    );
    const { input } = readSchemas({ input_schema: { type: 'object', properties, required: ['field0', 'field79'] } });
    expect(JSON.stringify(input).length).toBeLessThan(8_000);
    expect(input).toMatchObject({ properties: { field0: { type: 'string' } }, required: ['field0'] });
  });

  it.each([{}, { input_schema: null }, { input_schema: { type: 'object' } }, { input_schema: { properties: {} } }])(
    'that says nothing is not known: %j',
    (schemas) => {
      expect(readSchemas(schemas)).toMatchObject({ input: undefined, takesMessages: undefined });
    },
  );
});
