import { describe, expect, it } from 'vitest';
import { agentFailure, httpFailure } from './failure.ts';

const reply = (status: number, type: string, body: string, headers: Record<string, string> = {}) => ({
  status,
  headers: { 'content-type': type, ...headers },
  body: Buffer.from(body),
});

describe('agentFailure', () => {
  it('unwraps JSON inside JSON', () => {
    const inner = JSON.stringify({ error: 'TypeError', message: 'boom' });
    expect(agentFailure('a', { error: 'Error', message: inner }, undefined).message).toBe(
      "Agent 'a' failed: TypeError: boom",
    );
    const wrapped = { error: { error: 'Error', message: JSON.stringify({ error: 'Error', message: inner }) } };
    expect(agentFailure('a', wrapped, undefined).message).toBe("Agent 'a' failed: TypeError: boom");
  });

  it('gives a message for any error of the server', () => {
    expect(agentFailure('a', 'Run not found', undefined).message).toBe("Agent 'a' failed: Run not found");
    for (const nothing of [undefined, null, {}, { error: 'Error' }, [], 7]) {
      expect(agentFailure('a', nothing, undefined).message).toBe("Agent 'a' failed: no reason given");
    }
  });

  it('removes what the client sent, plain and escaped as JSON, and nothing else', () => {
    const sent = { messages: [{ role: 'user', content: 'secret "plan"\nline two' }], resume: ['pass word'] };
    const message = 'user: bad input "secret \\"plan\\"\\nline two" and pass word';
    expect(agentFailure('a', { error: 'ValueError', message }, sent).message).toBe(
      `Agent 'a' failed: ValueError: user: bad input "[input]" and [input]`,
    );
    const raw = `bad ${sent.messages[0]?.content}!`;
    expect(agentFailure('a', { error: 'Error', message: raw }, sent).message).toBe("Agent 'a' failed: bad [input]!");
  });

  it('recognises a run that was cancelled', () => {
    expect(agentFailure('a', { error: 'Error', message: 'interrupt' }, undefined).message).toBe(
      "Agent 'a' was cancelled on its server.",
    );
  });
});

describe('httpFailure', () => {
  it.each([
    [401, 'SWB_UPSTREAM_AUTH'],
    [403, 'SWB_UPSTREAM_AUTH'],
    [307, 'SWB_UPSTREAM_HTTP'],
    [400, 'SWB_INVALID_PARAMS'],
    [422, 'SWB_INVALID_PARAMS'],
    [500, 'SWB_UPSTREAM_HTTP'],
  ])('makes HTTP %i %s', (status, code) => {
    expect(httpFailure('s', reply(status, 'text/plain', 'why'))).toMatchObject({ code, data: { status } });
  });

  it('reads the reason in each of the forms there are', () => {
    const zod = {
      success: false,
      error: { name: 'ZodError', issues: [{ path: ['config', 'tags'], message: 'Expected array' }] },
    };
    const cases: [string, string, string][] = [
      ['text/plain;charset=UTF-8', 'No such thing\n    at x (/srv/a.ts:1:1)', 'No such thing'],
      ['application/json', JSON.stringify(zod), 'config.tags: Expected array'],
      [
        'application/json',
        '{"detail":[{"loc":["body","input"],"msg":"field required"}]}',
        'body.input: field required',
      ],
      ['application/json', '{"detail":"Invalid graph"}', 'Invalid graph'],
      ['application/json', '{"message":"Too many"}', 'Too many'],
    ];
    for (const [type, body, reason] of cases) {
      expect(httpFailure('s', reply(400, type, body)).message).toBe(`Server 's' did not accept the call: ${reason}`);
    }
    for (const [type, body] of [
      ['text/html', '<h1>Oops</h1>'],
      ['application/json', '{'],
      ['text/plain', ''],
    ] as const) {
      expect(httpFailure('s', reply(502, type, body)).message).toBe("Server 's' answered HTTP 502");
    }
  });

  it('passes Retry-After on', () => {
    expect(httpFailure('s', reply(429, 'text/plain', 'slow down', { 'retry-after': '3' }))).toMatchObject({
      code: 'SWB_UPSTREAM_HTTP',
      retryAfterMs: 3_000,
    });
  });
});
