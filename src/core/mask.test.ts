import { expect, test } from 'vitest';
import { SwitchboardError, UpstreamError } from './errors.ts';
import { maskedError, masking, maskingShown } from './mask.ts';
import { cpuClock } from './testing/cpu.ts';

const mask = masking({
  transport: 'stdio',
  command: 'node',
  args: ['/srv/tools/server.js', '--verbose-logging', '--api-key=from-the-arguments', 'positional-key', 'server-2.mjs'],
  env: { KEY: 'from-the-environment', LONGER: 'from-the-environment-too', MODE: 'fast', DATA: '/srv/data/private' },
  cwd: undefined,
});

test('values of the environment and of arguments are masked in the output of a child, wherever they stand', () => {
  expect(mask('key "from-the-environment", then from-the-environment-too.')).toBe('key "[redacted]", then [redacted].');
  expect(mask('node server.js --api-key=from-the-arguments positional-key /srv/data/private')).toBe(
    'node server.js --api-key=[redacted] [redacted] [redacted]',
  );
});

test('files, options and everyday words stay, so that the message can be understood', () => {
  const line = 'Cannot find /srv/tools/server.js or server-2.mjs in fast mode; try --verbose-logging';
  expect(mask(line)).toBe(line);
});

const target = {
  transport: 'http',
  url: 'https://ada:p%40ss-word@example.com/mcp?api_key=query-secret&version=2025-11-25&x=a-value-that-is-long-enough',
  headers: {
    Authorization: 'Bearer header-secret',
    'X-Basic': `Basic ${btoa('ada:basic-secret')}`,
    'X-Short': 'short',
  },
} as const;

test('headers, the user information and secrets in the query of a URL are masked', () => {
  const http = masking(target);
  for (const secret of ['Bearer header-secret', 'header-secret', 'basic-secret', btoa('ada:basic-secret')]) {
    expect(http(`got ${secret}.`), secret).toBe('got [redacted].');
  }
  for (const secret of ['p%40ss-word', 'p@ss-word', 'query-secret', 'a-value-that-is-long-enough']) {
    expect(http(`got ${secret}.`), secret).toBe('got [redacted].');
  }
  expect(http('ada sent short on 2025-11-25 to example.com')).toBe('ada sent short on 2025-11-25 to example.com');
});

test('an error of a server is masked in message and data, keys and nested texts, and is the same error otherwise', () => {
  const error = new UpstreamError({
    code: -32_000,
    message: 'no: header-secret',
    data: { 'header-secret': [1, 'x query-secret'], deep: { a: null, b: 'header-secret' }, ok: true },
  });
  expect(maskedError(error, masking(target))).toMatchObject({
    rpcCode: -32_000,
    message: 'no: [redacted]',
    data: { '[redacted]': [1, 'x [redacted]'], deep: { a: null, b: '[redacted]' }, ok: true },
  });
  const other = new UpstreamError({ code: 1, message: 'no', data: { a: [1] } });
  expect(maskedError(other, masking(target))).toBe(other);
});

test('an error in which an adapter repeats a server is masked; names of servers and errors of the gateway are not', () => {
  const failed = new SwitchboardError('SWB_AGENT_FAILED', 'It said header-secret.', {
    data: { server: 'header-secret', detail: 'header-secret' },
  });
  expect(maskedError(failed, masking(target))).toMatchObject({
    message: 'It said [redacted].',
    data: { code: 'SWB_AGENT_FAILED', server: 'header-secret', detail: '[redacted]' },
  });
  const own = new SwitchboardError('SWB_QUEUE_FULL', 'The queue of header-secret is full.');
  expect(maskedError(own, masking(target))).toMatchObject({ message: 'The queue of header-secret is full.' });
});

test('text is searched for the credentials of many in one pass', () => {
  const sets = Array.from({ length: 256 }, (_, i) => ({ authorization: `Bearer sk.(${i})-of-someone` }));
  const many = maskingShown(sets, []);
  expect(many('sk.(7)-of-someone, Bearer sk.(255)-of-someone, sk-(7)-of-someone')).toBe(
    '[redacted], [redacted], sk-(7)-of-someone',
  );
  const cpu = cpuClock();
  const text = 'Bearer sk.( and on '.repeat(200_000);
  expect(many(text)).toBe(text);
  expect(cpu()).toBeLessThan(2_000);
});
