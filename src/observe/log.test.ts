import { describe, expect, it } from 'vitest';
import { SwitchboardError } from '../core/errors.ts';
import { createLog } from './log.ts';
import { lineForPeople } from './log-line.ts';

function capture() {
  const lines: string[] = [];
  return { lines, write: (text: string) => void lines.push(text) };
}

const first = (to: { lines: string[] }): Record<string, unknown> => JSON.parse(to.lines[0] ?? '{}');

describe('createLog', () => {
  it('writes one JSON object per line with level, time and message', () => {
    const to = capture();
    createLog('info', { to }).info({ server: 'a' }, 'ready');
    expect(to.lines).toHaveLength(1);
    expect(first(to)).toMatchObject({ level: 'info', server: 'a', msg: 'ready' });
    expect(first(to).time).toMatch(/^\d{4}-\d\d-\d\dT/);
  });

  it('writes nothing below its level, and nothing at all when silent', () => {
    const to = capture();
    createLog('warn', { to }).info({}, 'no');
    createLog('silent', { to }).error({}, 'no');
    expect(to.lines).toEqual([]);
  });

  it('lets no secret through, wherever it stands', () => {
    const to = capture();
    const log = createLog('debug', { to });
    const secret = 'sk-verysecret123';
    log.info({ headers: { Authorization: `Bearer ${secret}`, 'x-custom': secret }, env: { ANY: secret } }, 'maps');
    log.info({ config: { gateway: { token: secret }, servers: [{ target: { headers: { a: secret } } }] } }, 'nested');
    log.info({ url: `https://user:${secret}@host/path?apiKey=${secret}` }, 'urls');
    log.warn({ err: new Error(`sent Authorization: Bearer ${secret}`) }, 'errors');
    log.error(new Error(`failed at https://h/?token=${secret}`));
    log.child({ apiKey: secret }).child({ token: secret }).info({ apiKey: secret }, 'see https://h/?k=%s', secret);
    expect(to.lines).toHaveLength(6);
    expect(to.lines.join('')).not.toContain(secret);
    expect(to.lines.join('')).toContain('[redacted]');
  });

  it('keeps what helps: error type, code, message, stack and cause', () => {
    const to = capture();
    const cause = Object.assign(new Error('connect refused'), { code: 'ECONNREFUSED' });
    createLog('info', { to }).error({ err: new SwitchboardError('SWB_UPSTREAM_UNAVAILABLE', 'away', { cause }) }, 'x');
    expect(first(to).err).toMatchObject({
      type: 'SwitchboardError',
      code: 'SWB_UPSTREAM_UNAVAILABLE',
      message: 'away',
      cause: { code: 'ECONNREFUSED' },
    });
  });

  it('never waits for its reader: lines that are not read are dropped, and counted once they are', () => {
    const to = { ...capture(), writableLength: 0 };
    const log = createLog('info', { to });
    log.info({}, 'one');
    to.writableLength = 2 * 1024 * 1024;
    for (let i = 0; i < 3; i++) log.warn({}, 'unread');
    expect(to.lines).toHaveLength(1);
    to.writableLength = 0;
    log.info({}, 'two');
    expect(to.lines.slice(1).map((line) => JSON.parse(line))).toMatchObject([
      { level: 'warn', lines: 3 },
      { msg: 'two' },
    ]);
  });

  it('cuts what an upstream has made very long', () => {
    const to = capture();
    createLog('info', { to }).warn({ tool: 'x'.repeat(5_000_000), err: new Error('y'.repeat(5_000_000)) }, 'long');
    expect(to.lines.join('').length).toBeLessThan(50_000);
  });

  it('writes short lines for people when the destination is a terminal', () => {
    const to = { ...capture(), isTTY: true };
    createLog('info', { to, colour: false }).warn({ server: 'mastra', retryInMs: 800 }, 'mastra is not reachable');
    expect(to.lines[0]).toMatch(/^\d\d:\d\d:\d\d warn {2}mastra is not reachable server=mastra retryInMs=800\n$/);
  });
});

describe('lineForPeople', () => {
  it('escapes characters that turn text around or cannot be seen, in the message, in fields and in errors', () => {
    const line = lineForPeople(
      JSON.stringify({
        time: '2026-11-20T12:03:04.000Z',
        level: 'warn',
        msg: 'a\u202eb',
        server: 'x\u200b',
        err: { type: 'Error', message: 'c\u2066d' },
      }),
      false,
    );
    expect(line).toContain('a\\u202eb');
    expect(line).toContain('server=x\\u200b');
    expect(line).toContain('c\\u2066d');
    expect(line).not.toMatch(/\p{Cf}/u);
  });

  it('shows an error with its cause below the message', () => {
    const err = { type: 'Error', message: 'a', cause: { type: 'TypeError', message: 'b' } };
    const line = lineForPeople(
      JSON.stringify({ time: '2026-01-01T10:11:12.000Z', level: 'error', msg: 'm', err }),
      false,
    );
    expect(line).toBe('10:11:12 error m\n         Error: a\n         caused by TypeError: b\n');
  });

  it('lets no escape sequence through to the terminal', () => {
    const line = lineForPeople(
      JSON.stringify({ time: '2026-01-01T10:11:12.000Z', level: 'info', msg: 'a\u001b[2Jb', x: '\u001b]0;t\u0007' }),
      false,
    );
    expect(line).not.toContain('\u001b');
    expect(line).not.toContain('\u0007');
  });

  it('colours the level when asked to', () => {
    const json = JSON.stringify({ time: '2026-01-01T10:11:12.000Z', level: 'info', msg: 'm' });
    expect(lineForPeople(json, true)).toContain('\u001b[36minfo');
    expect(lineForPeople('not json\n', true)).toBe('not json\n');
  });
});
