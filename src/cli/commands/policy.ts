/**
 * `switchboard policy`: the commands `init`, `explain` and `test`.
 * @module
 */
import { type Command, InvalidArgumentError, Option } from 'commander';
import { EXPLAINED_KINDS } from '../../policy/explain/explanation.ts';
import { EXAMPLES } from '../examples.ts';
import type { ExitCode } from '../exit.ts';
import type { CommandContext } from '../session.ts';
import type { ExplainOptions } from './policy-explain.ts';
import type { InitOptions } from './policy-init.ts';

type InGateway = (work: (context: CommandContext) => Promise<ExitCode>) => Promise<void>;

export function addPolicy(program: Command, inGateway: InGateway): void {
  const policy = program
    .command('policy')
    .description('Write a policy to start from, explain what a policy does, and test it.')
    .addHelpText('after', EXAMPLES.policy);

  policy
    .command('init')
    .description(
      'Write a policy made of what the servers offer now: one rule for each tool, by how much harm it can do.',
    )
    .option('--server <name>', 'only this server')
    .option('--merged', 'one document for the whole gateway, under namespaced names')
    .addOption(
      new Option('--grant <name>', 'one document for this grant, under namespaced names').conflicts(['merged']),
    )
    .option('-o, --out <folder>', 'write files there: <server>.policy.json (default: print to stdout)')
    .option('--force', 'overwrite files that exist')
    .addHelpText('after', EXAMPLES.policyInit)
    .action((options: InitOptions) =>
      inGateway(async (context) => (await import('./policy-init.ts')).initPolicy(context, options)),
    );

  policy
    .command('explain')
    .description('Print every rule that is looked at for a request, and what is decided. Nothing is sent or counted.')
    .argument('<name>', 'as clients see it, namespaced, or with --server the server’s own name; of resources the URI')
    .argument('[json]', 'its arguments as a JSON object; - reads them from stdin')
    .option('--grant <name>', 'who asks (default: the local user)')
    .addOption(new Option('--kind <kind>', 'what it is').choices([...EXPLAINED_KINDS]).default('tool'))
    .option('--server <name>', 'whose it is')
    .addHelpText('after', EXAMPLES.policyExplain)
    .action((name: string, json: string | undefined, options: ExplainOptions) =>
      inGateway(async (context) => (await import('./policy-explain.ts')).explainPolicy(context, name, json, options)),
    );

  policy
    .command('test')
    .description('Check what a policy does against a file of cases.')
    .argument(
      '<file>',
      'JSON, with comments: {"cases": [{"tool": "…", "args": {…}, "grant": "…", "expect": "deny"}]}',
      named,
    )
    .addHelpText('after', EXAMPLES.policyTest)
    .action((file: string) =>
      inGateway(async (context) => (await import('./policy-test.ts')).testPolicy(context, file)),
    );
}

function named(text: string): string {
  if (text === '') throw new InvalidArgumentError('Name a file.');
  return text;
}
