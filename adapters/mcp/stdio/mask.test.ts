import { expect, test } from 'vitest';
import { masking } from './mask.ts';

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
