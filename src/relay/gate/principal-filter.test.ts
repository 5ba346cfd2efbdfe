import { afterEach, expect, it, vi } from 'vitest';
import { type Policed, policed, policyConfig, tool } from './testing/policed.ts';

let made: Policed | undefined;
afterEach(async () => {
  await made?.close();
  made = undefined;
});

const grants = (...names: string[]) =>
  policyConfig({
    grants: names.map((name) => ({ name, keys: [], servers: undefined, policy: undefined, expiresAt: undefined })),
  });

it('the policy does not hold filters: grants that come and go leave nothing behind', async () => {
  made = await policed({ one: { tools: [tool('a')] } }, grants('first'));
  const { policy, request } = made;
  const listened = vi.spyOn(policy, 'onChanged');
  for (const name of ['second', 'third', 'fourth']) {
    await policy.reload(grants(name));
    await request(name, 'modern', 'tools/list', {});
  }
  expect(listened).not.toHaveBeenCalled();
});
