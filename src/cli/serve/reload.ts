/**
 * Applies an edit of the configuration to the running gateway and logs what changed, or logs why it was refused.
 * @module
 */

import { diffGateway, diffServers } from '../../config/diff.ts';
import type { Log } from '../../core/log.ts';
import type { Gateway } from '../../gateway-types.ts';
import type { LoadedConfig } from '../../load-config.ts';
import { diffPolicy } from '../../policy/language/diff.ts';

export interface Reloader {
  /** Applies a configuration once the previous one is applied. */
  apply(config: LoadedConfig): void;
  /** Logs why an edit is not applied. */
  refuse(error: Error): void;
}

export function createReloader(gateway: Gateway, first: LoadedConfig, log: Log): Reloader {
  let running = first;
  let applying: Promise<void> = Promise.resolve();

  const applyNow = async (config: LoadedConfig): Promise<void> => {
    const { added, removed, changed } = diffServers(running.servers, config.servers);
    const names = (servers: readonly { name: string }[]): string[] => servers.map(({ name }) => name);
    // The gateway section stays as it was at the start: moving the port would cut off its clients.
    const policy = diffPolicy(running.policy, config.policy);
    const restart = [
      ...diffGateway(running.gateway, config.gateway),
      // The administration API is open under the old token already.
      ...policy.filter((key) => key === 'gateway.adminToken'),
    ];
    try {
      await gateway.reload({ ...config, gateway: running.gateway });
    } catch (error) {
      log.error({ err: error }, 'The new configuration could not be applied.');
      return;
    }
    running = { ...config, gateway: running.gateway };
    for (const warning of config.warnings) log.warn({}, warning);
    log.info(
      { added: names(added), removed: names(removed), changed: names(changed), policy },
      'The configuration was read again.',
    );
    if (restart.length > 0) log.warn({ keys: restart }, 'These changes take effect after a restart.');
  };

  return {
    apply(config) {
      applying = applying.then(() => applyNow(config));
    },
    refuse(error) {
      log.error({}, `The configuration was not read again; what runs stays.\n${error.message}`);
    },
  };
}
