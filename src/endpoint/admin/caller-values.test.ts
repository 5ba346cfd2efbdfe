import { expect, it } from 'vitest';
import { withoutCredentials } from './caller-values.ts';

it('the value of a caller keeps what stands around a credential', () => {
  const line = (value: string) => `mysql --user=ada --password=${value} && echo "done"; ls`;
  expect(withoutCredentials({ cmd: line('"a b"'), pages: 3, when: null, list: ['max_tokens: 500', true] })).toEqual({
    ...{ cmd: line('[redacted]'), pages: 3, when: null, list: ['max_tokens: 500', true] },
  });
  expect(withoutCredentials('user=ada&password=hunter2&next=1')).toBe('user=ada&password=[redacted]&next=1');
  expect(withoutCredentials({ 'api_key=hunter2': 1 })).toEqual({ 'api_key=[redacted]': 1 });
});

it('the value of a caller is searched up to a bound and not shown beyond it', () => {
  const text = 'b'.repeat(8 * 1024);
  const shown = withoutCredentials(Array(12).fill(text)) as string[];
  expect(shown.filter((each) => each === text).length).toBeLessThanOrEqual(8);
  expect(shown.at(-1)).toBe('[…]');
});

it.each(['-eyJ', 'password="', 'password=\\"', "token='\\''", '--password ', 'api_key    ', 'a-', 'eyJ0eXAiOiJ.'])(
  'a text of %s again and again takes no more than linear time to search',
  (part) => {
    const text = part.repeat((32 * 1024) / part.length);
    const before = process.threadCpuUsage();
    withoutCredentials(text);
    const { user } = process.threadCpuUsage(before);
    // Microseconds. It takes 5 ms; in quadratic time it took seconds.
    expect(user).toBeLessThan(500_000);
  },
);
