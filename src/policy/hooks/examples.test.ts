import { dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { loadConfig } from '../../load-config.ts';
import { Hooks } from './hooks.ts';
import { hookInput, memoryLog } from './testing/hooks.ts';

const file = (name: string) => fileURLToPath(new URL(`../../../examples/hooks/${name}`, import.meta.url));

async function hooksOf(name: string): Promise<Hooks> {
  const config = await loadConfig({ file: file(name), env: {}, cwd: dirname(resolve(file(name))) });
  return Hooks.load(config.policy.hooks, { log: memoryLog() });
}

describe('the examples of hooks', () => {
  it('redact-secrets.jsonc', async () => {
    const hooks = await hooksOf('redact-secrets.jsonc');
    const args = { password: 'a long password', text: 'CASE-123456 postgres://me:secret-word@db' };
    expect(await hooks.run(hookInput({ args }))).toMatchObject({
      changes: { args: { password: '<PASSWORD>', text: '<CASE_NUMBER> postgres://me:<PASSWORD>@db' } },
    });
  });

  it('cap-result.jsonc', async () => {
    const hooks = await hooksOf('cap-result.jsonc');
    const result = { content: [{ type: 'text', text: 'x'.repeat(50_000) }] };
    const outcome = await hooks.run(hookInput({ phase: 'call.after', name: 'search_notes', result }));
    expect(JSON.stringify(outcome)).toMatch(/xx\\n\[300\d\d more bytes left out/);
    expect(await hooks.run(hookInput({ phase: 'call.after', name: 'read', result }))).toMatchObject({
      changes: undefined,
    });
  });

  it('rewrite-arguments.jsonc', async () => {
    const hooks = await hooksOf('rewrite-arguments.jsonc');
    const input = { server: 'mqttx', name: 'mqttConnect', args: { debug: true } };
    expect(await hooks.run(hookInput({ ...input, session: 's1' }))).toMatchObject({
      changes: { args: { clientId: 'agent-s1' } },
    });
  });

  it('allowed-hosts.jsonc', async () => {
    const hooks = await hooksOf('allowed-hosts.jsonc');
    const to = (url: string) => hooks.run(hookInput({ phase: 'upstream.connect', url }));
    expect(await to('https://a.example.org/mcp?key=1')).toMatchObject({ effect: 'allow' });
    expect(await to('https://example.org.evil.net/mcp')).toMatchObject({
      effect: 'deny',
      denial: {
        rule: '(hook allowed-hosts) /hosts',
        reason: 'Connecting to example.org.evil.net is not allowed here.',
      },
    });
  });
});
