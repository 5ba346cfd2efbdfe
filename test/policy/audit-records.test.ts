/** Records of the audit that are made several at once. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { recordingLog } from '../../adapters/testing/context.ts';
import { removeTemporaryFolders, temporaryFolder } from '../../src/config/testing/files.ts';
import { CHANNELS, type ConcludedEvent } from '../../src/observe/events.ts';
import { openPolicy } from '../../src/policy/open.ts';
import type { Policy } from '../../src/policy/policy.ts';
import { policyConfig } from '../../src/relay/gate/testing/policed.ts';
import { fakeCaller } from '../../src/relay/testing/fakes.ts';
import { memoryState } from '../../src/state/memory/memory-state.ts';

const INSTANCE = 'audit-records';

let file: string;
let log: ReturnType<typeof recordingLog>;
let policy: Policy;

beforeEach(async () => {
  file = join(await temporaryFolder(), 'audit.jsonl');
  log = recordingLog();
  const config = policyConfig({ audit: { file, maxBytes: 1024 * 1024, keep: 1 } });
  policy = await openPolicy({ config, builtins: new Set(), state: memoryState(log), instance: INSTANCE, log });
});
afterEach(async () => {
  await policy.close();
  await removeTemporaryFolders();
});

const over = (requestId: number): ConcludedEvent => ({
  ...{ instance: INSTANCE, call: undefined, requestId, caller: fakeCaller('modern'), principal: 'local' },
  ...{ grant: undefined, server: 's', section: 'tools', name: 'pay', namespaced: 's__pay', method: 'tools/call' },
  ...{ arguments: { a: 1 }, verdict: 'allow', outcome: 'ok', policy: undefined, rule: undefined, errorCode: undefined },
  ...{ durationMs: 1, queueMs: 0, shadow: undefined },
});

async function lines(): Promise<Record<string, unknown>[]> {
  await policy.close();
  const text = await readFile(file, 'utf8');
  return text
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line));
}

describe('the audit of requests that were over at nearly the same time', () => {
  it('has the records of all others where one cannot be made', async () => {
    CHANNELS.concluded.publish(over(1));
    CHANNELS.concluded.publish({
      ...over(2),
      get outcome(): never {
        throw new Error('This event cannot be read.');
      },
    });
    CHANNELS.concluded.publish(over(3));
    expect((await lines()).map(({ requestId }) => requestId)).toEqual([1, 3]);
  });

  it('has an operator’s operation where its time belongs', async () => {
    CHANNELS.concluded.publish(over(1));
    CHANNELS.operator.publish({
      ...{ instance: INSTANCE, principal: 'ada', person: undefined, action: 'recording', target: undefined },
      ...{ outcome: 'ok', errorCode: undefined },
    });
    CHANNELS.concluded.publish(over(2));
    expect((await lines()).map(({ requestId, operator }) => requestId ?? operator)).toEqual([1, 'ada', 2]);
  });
});
