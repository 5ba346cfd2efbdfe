import { describe, expect, it } from 'vitest';
import { cpuClock } from '../../src/core/testing/cpu.ts';
import { publicMessage } from './sanitize.ts';

describe('publicMessage', () => {
  it('leaves an ordinary sentence unchanged', () => {
    for (const text of [
      'Rate limit exceeded, try again in 20 seconds.',
      'Thread 6f9619ff-8b86-4011-b42d-00c04fc964ff was not found',
      'expected text/plain and/or application/json, got image/png at 10:45',
      'The token limit is 4096; input has 5000 tokens',
      'ratio 1:2, step 3 of 4 (75%)',
    ]) {
      expect(publicMessage(text)).toBe(text);
    }
  });

  it('keeps the first line only and drops stack frames, real, escaped or run in', () => {
    expect(publicMessage('boom\n    at run (/srv/app/x.ts:1:2)\n    at main (/srv/y.ts:3:4)')).toBe('boom');
    expect(publicMessage('TypeError: boom\\n    at run (/srv/app/x.ts:1:2)')).toBe('TypeError: boom');
    expect(publicMessage('boom at async run (file:///srv/app/x.ts:1:2) at main (node:internal/x:1:1)')).toBe('boom');
    expect(publicMessage('\n\n    at run (/srv/app/x.ts:1:2)\nreal reason')).toBe('real reason');
  });

  it('takes out file paths', () => {
    expect(publicMessage("ENOENT: no such file, open '/home/jane/app/.env'")).toBe(
      "ENOENT: no such file, open '[path]'",
    );
    expect(publicMessage('cannot read C:\\Users\\jane\\keys.txt now')).toBe('cannot read [path] now');
    expect(publicMessage('in node_modules/@x/core/dist/index.js:12:3 it failed')).toBe('in [path] it failed');
    expect(publicMessage('failed in agent.ts:12:3')).toBe('failed in [path]');
    expect(publicMessage('see ../secrets/prod and ~/keys/id')).toBe('see [path] and [path]');
  });

  it('takes out addresses of every spelling', () => {
    const text = publicMessage(
      'connect ECONNREFUSED 10.1.2.3:5432 [::1]:80 fe80::1 localhost:4111 redis:6379 db.prod.internal api.corp.example:8443',
    );
    expect(text).toBe('connect ECONNREFUSED [address] [address] [address] [address] [address] [address] [address]');
    expect(publicMessage('getaddrinfo ENOTFOUND db-primary')).toBe('getaddrinfo ENOTFOUND [address]');
    expect(publicMessage('POST https://user:pw@models.example/v1?key=abc failed')).toBe('POST [url] failed');
  });

  it('takes out what looks like a secret', () => {
    expect(publicMessage('Incorrect API key provided: sk-proj-abc123def456')).toBe(
      'Incorrect API key provided: [secret]',
    );
    expect(publicMessage('header Authorization: Bearer abc.def.ghi rejected')).not.toContain('abc.def');
    expect(publicMessage('{"api_key":"hunter2hunter2"}')).toBe('{"api_key":[secret]}');
    expect(publicMessage('OPENAI_API_KEY=hunter2hunter2 bad')).toBe('OPENAI_API_KEY=[secret] bad');
    expect(publicMessage('jwt eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc-def bad')).toBe('jwt [secret] bad');
    expect(publicMessage(`key ${'a1B2c3D4'.repeat(5)} bad`)).toBe('key [secret] bad');
  });

  it('is one bounded line without control characters, whatever comes in', () => {
    const text = publicMessage(`\u001b[31mred\u001b[0m\u0000\u202e${'x y '.repeat(100_000)}`, 80);
    expect(text.length).toBeLessThanOrEqual(80);
    expect(text).toMatch(/^red x y .*…$/);
    expect(publicMessage('')).toBe('no reason given');
    expect(publicMessage('    at run (/a/b.ts:1:2)')).toBe('no reason given');
  });

  it('takes bounded time on hostile text', () => {
    const cpu = cpuClock();
    for (const piece of ['a/', ':', 'a.', '::1', '1', 'a:', '/', '\\', 'token=', 'at ']) {
      publicMessage(piece.repeat(50_000));
    }
    expect(cpu()).toBeLessThan(1_000);
  });

  it('takes little time whatever a server wrote', () => {
    const pieces = ['a', 'a.', 'a-', '/a', 'a:', '::', '.', '@', 'ff:', '[a:', 'at ', 'key=', '\\n', ' '];
    for (const piece of pieces) {
      for (const text of [`::${piece.repeat(4000)}g`, `${piece.repeat(4000)}!`]) {
        const cpu = cpuClock();
        publicMessage(text);
        expect(cpu(), JSON.stringify(piece)).toBeLessThan(1_000);
      }
    }
  });

  it('hides addresses of IPv6 in every spelling', () => {
    for (const address of ['::1', 'fe80::1', '2001:db8::8a2e:370:7334', '1:2:3:4:5:6:7:8', '[::1]:80']) {
      expect(publicMessage(`connect to ${address} failed`)).not.toContain(address);
    }
  });
});
