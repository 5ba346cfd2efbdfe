import { networkInterfaces } from 'node:os';
import { describe, expect, it } from 'vitest';
import { isSameHostAndPort } from './server-names.ts';

const same = (one: string, other: string): boolean => isSameHostAndPort(new URL(one), new URL(other));

describe('two URLs have the same host and port', () => {
  it.each([
    ['http://127.0.0.1:9/a', 'http://localhost:9/b'],
    ['http://127.0.0.1:9', 'http://[::1]:9'],
    ['http://127.0.0.1:9', 'http://2130706433:9'],
    ['http://127.0.0.1:9', 'http://[::ffff:127.0.0.1]:9'],
    ['http://127.0.0.1:9', 'http://127.9.9.9.:9'],
    ['http://127.0.0.1:9', 'http://0.0.0.0:9'],
    ['http://127.0.0.1:9', 'http://a.LOCALHOST.:9'],
    ['http://10.1.2.3:9', 'http://[::ffff:10.1.2.3]:9'],
    ['http://[::ffff:c0a8:101]:9', 'http://192.168.1.1:9'],
    ['http://host.example', 'http://HOST.example.:80/x'],
    ['https://host.example', 'https://host.example:443'],
  ])('%s and %s', (one, other) => {
    expect(same(one, other)).toBe(true);
  });

  it('under any address of this machine', () => {
    const all = Object.values(networkInterfaces()).flatMap((each) => each ?? []);
    expect(all.length).toBeGreaterThan(0);
    for (const { family, address, scopeid } of all) {
      if (scopeid) continue;
      expect(same(`http://${family === 'IPv6' ? `[${address}]` : address}:9`, 'http://localhost:9'), address).toBe(
        true,
      );
    }
  });
});

it.each([
  ['http://127.0.0.1:9', 'http://127.0.0.1:10'],
  ['http://host.example', 'https://host.example'],
  ['http://host.example', 'http://other.example'],
  ['http://203.0.113.7:9', 'http://203.0.113.8:9'],
  ['http://203.0.113.7:9', 'http://localhost:9'],
])('%s and %s have different hosts or ports', (one, other) => {
  expect(same(one, other)).toBe(false);
});
