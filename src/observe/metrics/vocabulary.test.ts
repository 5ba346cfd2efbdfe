import { describe, expect, it } from 'vitest';
import { SwitchboardError, UpstreamError } from '../../core/errors.ts';
import { errorTypeOf, methodOf, networkOf, revisionOf, statusOf, subjectLabels } from './vocabulary.ts';

describe('values of labels', () => {
  it.each([
    ['tools/call', 'tools/call'],
    ['subscriptions/listen', 'subscriptions/listen'],
    ['made/up', '_OTHER'],
    ['__proto__', '_OTHER'],
    ['', '_OTHER'],
  ])('the method %j is %s', (method, label) => expect(methodOf(method)).toBe(label));

  it.each([
    ['2026-07-28', '2026-07-28'],
    ['2024-11-05', '2024-11-05'],
    ['1.0', undefined],
    ['2099-01-01', undefined],
    [undefined, undefined],
  ])('the version %j is %j', (version, label) => expect(revisionOf(version)).toBe(label));

  it.each([
    ['success', undefined, false, undefined, undefined],
    ['a result that says it failed', undefined, true, 'tool_error', undefined],
    ['an error of the gateway', new SwitchboardError('SWB_DENIED', 'No.'), false, 'SWB_DENIED', '-31017'],
    [
      'an error of a server that JSON-RPC defines',
      new UpstreamError({ code: -32602, message: 'Bad.' }),
      false,
      '-32602',
      '-32602',
    ],
    [
      'an error of a server that it made up',
      new UpstreamError({ code: 4711, message: 'Odd.' }),
      false,
      '_OTHER',
      undefined,
    ],
    ['anything else', new TypeError('undefined is not a function'), false, 'SWB_INTERNAL', '-32603'],
  ])('%s', (_, error, toolError, type, status) => {
    expect(errorTypeOf(error, toolError)).toBe(type);
    expect(statusOf(type)).toBe(status);
  });

  it.each([
    ['stdio', 'pipe'],
    ['streamable-http', 'tcp'],
    ['mqtt', 'tcp'],
    ['in-process', undefined],
    [undefined, undefined],
  ])('the transport %j is %j', (transport, label) => expect(networkOf(transport)).toBe(label));

  it('a subject is in the attribute that its method has for it, and a URI in none', () => {
    expect(subjectLabels('tools/call', 'echo')).toEqual({
      'gen_ai.operation.name': 'execute_tool',
      'gen_ai.tool.name': 'echo',
    });
    expect(subjectLabels('prompts/get', 'greet')).toEqual({ 'gen_ai.prompt.name': 'greet' });
    expect(subjectLabels('agents/call', 'poet')).toEqual({
      'gen_ai.operation.name': 'invoke_agent',
      'gen_ai.agent.name': 'poet',
    });
    expect(subjectLabels('resources/read', 'file:///secret')).toEqual({});
  });
});
