/**
 * A hook of one's own: `connectServer`, and the configuration, may only connect to these hosts. Options:
 * `hosts` (names; `*.example.org` is every name below it) and `ask` (ask a person about other hosts instead of refusing).
 * In a project that installed the package, the import is from 'agent-switchboard'.
 */
import type { HookFactory } from '../../src/policy/hooks/contract.ts';

const allowedHosts: HookFactory = ({ hosts, ask = false }) => {
  // What is thrown here is shown to the person who starts the gateway, as a mistake in the configuration.
  if (!Array.isArray(hosts) || !hosts.every((host) => typeof host === 'string')) {
    throw new Error('options.hosts must be a list of host names');
  }
  const allows = (name: string): boolean =>
    hosts.some((host) => name === host || (host.startsWith('*.') && name.endsWith(host.slice(1))));

  return {
    phases: ['upstream.connect'],
    decide({ url }) {
      const name = URL.parse(url ?? '')?.hostname ?? '';
      if (allows(name)) return undefined;
      if (ask === true) return { effect: 'approve', reason: `Connect to ${name}?`, rule: '/hosts', ttlMs: 60_000 };
      return { effect: 'deny', reason: `Connecting to ${name} is not allowed here.`, rule: '/hosts' };
    },
  };
};

export default allowedHosts;
