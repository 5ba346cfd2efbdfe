/** A policy that is exchanged while it is in use: all of it at once, or none of it. */
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { recordingLog } from '../../adapters/testing/context.ts';
import { removeTemporaryFolders, temporaryFolder } from '../../src/config/testing/files.ts';
import type { HookConfig, LockConfig, PolicyConfig } from '../../src/policy/language/types.ts';
import { openPolicy } from '../../src/policy/open.ts';
import { writeLockFile } from '../../src/policy/pinning/lock-file.ts';
import type { Policy } from '../../src/policy/policy.ts';
import { policyConfig } from '../../src/relay/gate/testing/policed.ts';
import { memoryState } from '../../src/state/memory/memory-state.ts';

const opened: Policy[] = [];
afterEach(async () => {
  await Promise.all(opened.splice(0).map((policy) => policy.close()));
  await removeTemporaryFolders();
});

const SERVER = { name: 'calc', builtin: false };

async function open(config: PolicyConfig) {
  const log = recordingLog();
  const policy = await openPolicy({ config, builtins: new Set(), state: memoryState(log), log });
  opened.push(policy);
  return { policy, log };
}

const hook = (source: HookConfig['source']): HookConfig => ({
  name: 'hook',
  source,
  options: {},
  phases: undefined,
  servers: [],
  timeoutMs: 1_000,
  mode: 'enforce',
  onError: 'deny',
});

it('a reload whose hooks cannot be loaded keeps pinning, though its file is gone', async () => {
  const file = join(await temporaryFolder(), 'switchboard.lock.json');
  await writeLockFile(file, new Map());
  const lock: LockConfig = { mode: 'deny', file };
  const { policy } = await open(policyConfig({ lock }));
  expect(policy.admitsServer(undefined, SERVER)).toBe(false);
  await rm(file);
  const broken = policyConfig({ lock: { mode: 'off', file }, hooks: [hook({ builtin: 'none-such' })] });
  await expect(policy.reload(broken)).rejects.toMatchObject({ code: 'SWB_CONFIG' });
  expect(policy.admitsServer(undefined, SERVER)).toBe(false);
});

it('a reload exchanges pinning and hooks in the same turn', async () => {
  const folder = await temporaryFolder();
  const file = join(folder, 'switchboard.lock.json');
  await writeLockFile(file, new Map());
  const module = join(folder, 'slow.mjs');
  // It takes a while to load.
  await writeFile(
    module,
    "await new Promise((done) => setTimeout(done, 50)); export default { phases: ['call.before'], decide() {} };",
  );
  const { policy } = await open(policyConfig({ lock: { mode: 'deny', file } }));
  const seen = new Set<string>();
  let over = false;
  const reloaded = policy.reload(policyConfig({ hooks: [hook({ module })] })).finally(() => {
    over = true;
  });
  const look = () =>
    seen.add(`pinned ${!policy.admitsServer(undefined, SERVER)}, hooked ${policy.hooks.has('call.before', 'calc')}`);
  while (!over) {
    look();
    await new Promise((next) => setImmediate(next));
  }
  await reloaded;
  look();
  expect([...seen]).toEqual(['pinned true, hooked false', 'pinned false, hooked true']);
});

it('a reload ends sessions of revoked keys before listeners run, and a failing listener stops no other', async () => {
  const { policy, log } = await open(
    policyConfig({ grants: [{ name: 'gone', keys: [], servers: undefined, policy: undefined, expiresAt: undefined }] }),
  );
  const heard: string[] = [];
  policy.onChanged(() => {
    heard.push('first');
    throw new Error('listener');
  });
  policy.onChanged(() => heard.push('second'));
  await policy.reload(policyConfig(), (lost) => heard.push(`lost ${[...lost]}`));
  expect(heard).toEqual(['lost gone', 'first', 'second']);
  expect(log.lines.some(({ message }) => message?.includes('listener'))).toBe(true);
});
