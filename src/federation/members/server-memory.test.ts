import { expect, it } from 'vitest';
import { createLog } from '../../observe/log.ts';
import { memoryState } from '../../state/memory/memory-state.ts';
import { serverConfig } from '../testing/fakes.ts';
import { ServerMemories } from './server-memory.ts';

const at = (name: string, url: string) => serverConfig(name, { target: { transport: 'http', url, headers: {} } });

it('what is kept of a server is read by that server alone, also from the next process', async () => {
  const { kv } = memoryState(createLog('error'));
  const one = new ServerMemories(kv).of(at('one', 'http://a/'));
  await one.set('run:1', { agent: 'a' }, 60_000);
  await one.set('run:2', { agent: 'b' }, 60_000);
  await one.set('other', true, 60_000);
  for (const other of [at('two', 'http://a/'), at('one', 'http://b/')]) {
    expect(await new ServerMemories(kv).of(other).entries('')).toEqual([]);
  }
  const again = new ServerMemories(kv).of(at('one', 'http://a/'));
  expect(await again.entries('run:')).toEqual([
    ['run:1', { agent: 'a' }],
    ['run:2', { agent: 'b' }],
  ]);
  expect(await again.setIfAbsent('run:1', {}, 60_000)).toBe(false);
  expect(await again.take('run:1')).toEqual({ agent: 'a' });
  expect(await one.get('run:1')).toBeUndefined();
});
