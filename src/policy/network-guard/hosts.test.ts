import { describe, expect, it } from 'vitest';
import { allowPrivate } from './hosts.ts';

describe('allowPrivate', () => {
  it('allows nothing without entries', () => {
    expect(allowPrivate([])('localhost', 80)).toBe(false);
  });

  it.each([
    ['localhost', 'localhost', 4111],
    ['localhost', '127.0.0.1', 4111],
    ['localhost', '::1', 4111],
    ['localhost', 'api.localhost', 4111],
    ['127.0.0.1', 'localhost', 1],
    ['::1', 'localhost', 1],
    ['[::1]:4111', '::1', 4111],
    ['LocalHost:4111', 'localhost', 4111],
    ['localhost:80', 'localhost', 80],
    ['10.1.2.3', '10.1.2.3', 9],
    ['fd12::1', 'fd12::1', 9],
    ['FD12:0:0::1', 'fd12::1', 9],
    [' mastra.internal ', 'mastra.internal', 9],
    ['mastra.internal.', 'mastra.internal', 9],
    ['*', 'anything.example', 9],
  ])('%s allows %s at port %i', (entry, host, port) => {
    expect(allowPrivate([entry])(host, port)).toBe(true);
  });

  it.each([
    ['localhost:4111', 'localhost', 4112],
    ['localhost:4111', 'localhost', undefined],
    ['[::1]:4111', '::1', 80],
    ['127.0.0.1', '127.0.0.2', 80],
    ['10.1.2.3', '10.1.2.4', 80],
    ['mastra.internal', 'evil.mastra.internal', 80],
    ['mastra.internal', 'mastra.internal.evil.example', 80],
    ['localhost', 'notlocalhost', 80],
    ['localhost', '10.0.0.1', 80],
    ['http://localhost', 'localhost', 80],
    ['user@localhost', 'localhost', 80],
    ['localhost/path', 'localhost', 80],
    ['localhost:99999', 'localhost', 99999],
    ['', 'localhost', 80],
    ['**', 'localhost', 80],
  ])('%s does not allow %s at port %s', (entry, host, port) => {
    expect(allowPrivate([entry])(host, port)).toBe(false);
  });
});
