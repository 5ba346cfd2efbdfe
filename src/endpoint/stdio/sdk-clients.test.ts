import { afterEach, describe, expect, test } from 'vitest';
import { type Answerer, clientV1, clientV2, stdioV1, stdioV2, type TestClient } from '../testing/clients.ts';

let client: TestClient | undefined;
afterEach(async () => {
  await client?.close();
  client = undefined;
});

const KINDS = [
  { name: 'v1', version: undefined, connect: (answer?: Answerer) => clientV1(stdioV1(), answer) },
  { name: 'v2 legacy', version: '2025-11-25', connect: (answer?: Answerer) => clientV2(stdioV2(), 'legacy', answer) },
  { name: 'v2 auto', version: '2026-07-28', connect: (answer?: Answerer) => clientV2(stdioV2(), 'auto', answer) },
  { name: 'v2 pinned', version: '2026-07-28', connect: () => clientV2(stdioV2(), { pin: '2026-07-28' }) },
];

describe.each(KINDS)('SDK client $name over stdio', ({ version, connect }) => {
  test('connects, lists, calls, sees progress, withdraws and gets errors', async () => {
    client = await connect();
    if (version !== undefined) expect(client.version()).toBe(version);
    expect(await client.tools()).toContain('echo');
    expect(await client.call('echo', { a: 'ü\n' })).toBe('{"a":"ü\\n"}');
    const seen: number[] = [];
    await client.call('progress', { steps: 2, gapMs: 20 }, { onprogress: ({ progress }) => seen.push(progress) });
    expect(seen).toEqual([1, 2]);
    const controller = new AbortController();
    const pending = client.call('wait', {}, { signal: controller.signal });
    controller.abort('enough');
    await expect(pending).rejects.toThrow();
    await expect(client.call('fail', { code: 77 })).rejects.toThrow('from the upstream');
    expect(client.errors).toEqual([]);
  });
});

test.each(KINDS.slice(0, 2))('SDK client $name answers questions over stdio', async ({ connect }) => {
  client = await connect((message) => ({ echo: message }));
  const asked = await Promise.all(['a', 'b'].map((question) => client?.call('ask', { question })));
  expect(asked.map((text) => JSON.parse(text ?? '').content)).toEqual([{ echo: 'a' }, { echo: 'b' }]);
});
