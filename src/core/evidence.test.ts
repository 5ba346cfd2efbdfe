import { describe, expect, it } from 'vitest';
import { SwitchboardError } from './errors.ts';
import { Evidence, evidenceOf, mask, secretsOf, sentence } from './evidence.ts';

const said = (body: string, type = 'text/plain', secrets: string[] = []): string | undefined =>
  sentence(new Evidence(403, type, Buffer.from(body)), secrets);

describe('what a server says when it refuses', () => {
  it.each([
    ['Access is only allowed at localhost:9105\n', 'text/plain', 'Access is only allowed at localhost:9105'],
    ['{"error":"invalid_token","error_description":"The token\\nis old"}', 'application/json', 'The token'],
    ['{"jsonRpcError":{"code":-32600,"message":"Session ID missing"}}', 'application/json', 'Session ID missing'],
    ['{"jsonrpc":"2.0","error":{"code":-1,"message":"No"},"id":null}', 'application/json', 'No'],
    ['<html>Forbidden</html>', 'text/html', undefined],
    ['<p>Forbidden', 'text/plain', undefined],
    ['{"half":', 'application/json', undefined],
    ['', 'text/plain', undefined],
  ])('is its sentence: %j (%s)', (body, type, expected) => {
    expect(said(body, type)).toBe(expected);
  });

  it('is shortened, on one line, and without control characters', () => {
    expect(said('x'.repeat(1_000))).toHaveLength(160);
    expect(said('a\u001b[31mb\tc')).toBe('a [31mb c');
  });

  it('holds none of the credentials it was sent, and nothing that looks like any', () => {
    const secrets = secretsOf(
      { authorization: 'Bearer swordfish', 'x-api-key': 'k3y!' },
      'https://me:hush@host/?key=abcd1',
    );
    expect(said('Unknown key k3y! of swordfish, me, hush, abcd1', 'text/plain', secrets)).toBe(
      'Unknown key [redacted] of [redacted], me, [redacted], [redacted]',
    );
    const shapes = 'Bearer abcdef0123 token=abcd1234 a1b2c3d4e5f6a1b2c3d4e5f6 https://u:p@h/x?k=v';
    expect(mask(shapes, [])).toBe('Bearer [redacted] token=[redacted] [redacted] https://h/x?[redacted]');
  });

  it('is found among the causes of an error, and nowhere in what a client gets', () => {
    const evidence = new Evidence(500, undefined, Buffer.from('secret'));
    const error = new SwitchboardError('SWB_UPSTREAM_HTTP', 'It failed.', {
      cause: new Error('x', { cause: evidence }),
    });
    expect(evidenceOf(error)).toBe(evidence);
    expect(evidenceOf(new Error('y'))).toBeUndefined();
    expect(JSON.stringify(error.data)).not.toContain('secret');
  });
});
