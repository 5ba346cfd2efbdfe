/**
 * Hooks for tests: modules written beside a gateway's configuration, which tell what they saw by a global.
 * @module
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { HookInput } from '../../src/policy/hooks/contract.ts';
import { gatewayFolder, type OwnGateway, type Servers, startGateway } from '../e2e/gateway.ts';
import type { Json } from './gateway.ts';

const SEEN = Symbol.for('switchboard.test.hooks');

type Global = Record<symbol, HookInput[] | undefined>;

/** Inputs of hooks that call `see(input)`, in order. */
export function seen(): HookInput[] {
  const all = globalThis as unknown as Global;
  all[SEEN] ??= [];
  return all[SEEN];
}

const PRELUDE = `const see = (input) => (globalThis[Symbol.for('switchboard.test.hooks')] ??= []).push(input);
const later = (ms, value) => new Promise((resolve) => setTimeout(resolve, ms, value));
`;

/** A gateway whose hooks are these modules by name; `entries` is more of their configuration. */
export async function startHooked(
  servers: Servers,
  modules: Record<string, string>,
  { entries = {}, gateway = {} }: { entries?: Record<string, Json>; gateway?: Json } = {},
): Promise<OwnGateway> {
  const hooks = Object.keys(modules).map((name) => ({ module: `${name}.mjs`, name, ...entries[name] }));
  const { folder } = gatewayFolder({ servers, gateway: { ...gateway, hooks } });
  for (const [name, text] of Object.entries(modules)) writeFileSync(join(folder, `${name}.mjs`), PRELUDE + text);
  const running = await startGateway({ folder });
  for (const name of Object.keys(servers)) await running.reaches(name, 'ready');
  return running;
}
