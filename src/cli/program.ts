/**
 * The command line: which commands there are, what they take, and what the process ends with.
 * @module
 */

import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { ADAPTERS } from '../../adapters/index.ts';
import { LOG_LEVELS } from '../config/schema/gateway-section.ts';
import { allKinds } from '../core/kinds.ts';
import { PRODUCT } from '../core/product.ts';
import type { OpenGateway } from '../gateway-types.ts';
import { agents } from './commands/agents.ts';
import { type ApprovalsOptions, decideApproval, listApprovals, showApproval } from './commands/approvals.ts';
import { ask } from './commands/ask.ts';
import { call } from './commands/call.ts';
import { check } from './commands/check.ts';
import { type AddOptions, addGrant, listGrants, revokeGrant } from './commands/grants.ts';
import { type ImportOptions, importServers } from './commands/import.ts';
import { list } from './commands/list.ts';
import { type LockOptions, lock, withoutLock } from './commands/lock.ts';
import { addPolicy } from './commands/policy.ts';
import { serve } from './commands/serve.ts';
import { EXAMPLES } from './examples.ts';
import { EXIT, type ExitCode } from './exit.ts';
import { FORMATS } from './import/formats.ts';
import { type Io, typeable } from './io.ts';
import { createOutput } from './output.ts';
import { report } from './report.ts';
import {
  type CommandContext,
  type GlobalOptions,
  loadGateway,
  type RequestContext,
  withGateway,
  withRequests,
} from './session.ts';

/** Runs one command. `args` are the words after the program's name. Never rejects; gives the exit code. */
export async function run(args: readonly string[], io: Io, openGateway: OpenGateway = loadGateway): Promise<number> {
  // A closed pipe must not end a command with a stack.
  io.stdout.on('error', () => {});
  io.stderr.on('error', () => {});
  let code: ExitCode = EXIT.ok;
  const program = createProgram(io, openGateway, (result) => {
    code = result;
  });
  try {
    await program.parseAsync([...args], { from: 'user' });
    return code;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    const { color, json } = program.opts<GlobalOptions>();
    return report(error, createOutput(io, color), json === true);
  }
}

function createProgram(io: Io, openGateway: OpenGateway, done: (code: ExitCode) => void): Command {
  const program = new Command('switchboard')
    .description(`One MCP endpoint in front of many ${allKinds(ADAPTERS)} servers.`)
    .version(PRODUCT.version, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'explain the command')
    .helpCommand('help [command]', 'explain a command')
    .option('-c, --config <file>', 'the configuration (default: servers.json)')
    .option('--json', 'print JSON to stdout')
    .option('--no-color', 'no colours (also: NO_COLOR)')
    .addOption(new Option('--log-level <level>', 'least level that is logged to stderr').choices([...LOG_LEVELS]))
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({
      writeOut: (text) => void io.stdout.write(typeable(text, io)),
      writeErr: (text) => void io.stderr.write(text),
      getOutHelpWidth: () => io.stdout.columns || 100,
      getErrHelpWidth: () => io.stderr.columns || 100,
    })
    .exitOverride()
    .addHelpText('after', EXAMPLES.program);

  const globals = (): GlobalOptions => program.opts<GlobalOptions>();
  const withRequest = async (
    options: { local?: boolean },
    work: (context: RequestContext) => Promise<ExitCode>,
  ): Promise<void> => done(await withRequests({ ...globals(), ...options }, io, openGateway, work));
  const LOCAL = ['--local', 'connect by itself, although a gateway runs for this configuration'] as const;
  const inGateway = async (work: (context: CommandContext) => Promise<ExitCode>): Promise<void> =>
    done(await withGateway(globals(), io, openGateway, work));

  program
    .command('serve')
    .description('Serve the endpoint until stopped: over HTTP, or with --stdio for the client that started this.')
    .option('--stdio', 'serve one client on stdin and stdout instead of HTTP')
    .option('--host <host>', 'address to listen on (default: gateway.host, 127.0.0.1)')
    .option('-p, --port <port>', 'port to listen on, 0 for any free one (default: gateway.port, 7300)', portNumber)
    .option('--token-env <name>', 'environment variable that holds the bearer token clients must present')
    .option('--allow-unauthenticated', 'listen beyond loopback without a token: whoever reaches the port may use all')
    .addHelpText('after', EXAMPLES.serve)
    .action(async (options: object) => done(await serve({ ...globals(), ...options }, io, openGateway)));

  program
    .command('check')
    .description('Validate the configuration, connect to every server, and print how each is.')
    .addHelpText('after', EXAMPLES.check)
    .action(() => inGateway(check));

  program
    .command('list')
    .description('List tools, prompts, resources and agents under the names clients see.')
    .argument('[server]', 'only this server')
    .addHelpText('after', EXAMPLES.list)
    .action((server?: string) => inGateway((context) => list(context, server)));

  program
    .command('call')
    .description('Call a tool and print its result.')
    .argument('<tool>', 'as `switchboard list` shows it')
    .argument('[json]', 'its arguments as a JSON object; - reads them from stdin')
    .option(...LOCAL)
    .addHelpText('after', EXAMPLES.call)
    .action((tool: string, json: string | undefined, options: object) =>
      withRequest(options, (context) => call(context, tool, json)),
    );

  program
    .command('agents')
    .description('List the agents of all servers.')
    .addHelpText('after', EXAMPLES.agents)
    .action(() => inGateway(agents));

  program
    .command('ask')
    .description('Ask an agent; its answer is printed as it is made.')
    .argument('<agent>', 'server/agent, or the agent alone where only one server has it')
    .argument('[text...]', 'what to say; - reads it from stdin')
    .option('--thread <id>', 'go on with this conversation')
    .option('--resource <id>', 'whom the conversation belongs to, where the server keeps memory by user')
    .option('--resume <answer>', 'answer what the agent waits for: text or JSON, together with --thread')
    .option(...LOCAL)
    .addHelpText('after', EXAMPLES.ask)
    .action((agent: string, words: string[], options: object) =>
      withRequest(options, (context) => ask(context, agent, words, options)),
    );

  program
    .command('lock')
    .description(
      'Accept what the servers say of themselves now: record it in switchboard.lock.json, and print what changed.',
    )
    .option('--check', 'write nothing; exit with 1 when something differs')
    .option('--server <name>', 'only this server')
    .addHelpText('after', EXAMPLES.lock)
    .action(async (options: LockOptions) =>
      done(await withGateway(globals(), io, withoutLock(openGateway), (context) => lock(context, options))),
    );

  program
    .command('import')
    .description('Turn the servers of another program’s configuration into entries of servers.json.')
    .argument('<file>', 'its configuration: JSON, or TOML of Codex')
    .option('--from <program>', `whose file it is, where that is not seen: ${FORMATS.map(({ id }) => id).join(', ')}`)
    .option('--out <file>', 'write them there; a file that is there is added to (default: print them)')
    .option('--force', 'with --out: replace servers of the same name')
    .addHelpText('after', EXAMPLES.import)
    .action(async (file: string, options: ImportOptions) =>
      done(await importServers(file, { ...globals(), ...options }, io)),
    );

  addPolicy(program, inGateway);
  addApprovals(program, globals, io, done);
  addGrants(program, globals, io, done);
  return program;
}

/** `grants`: keys in the configuration file. A running gateway reads each change by itself. */
function addGrants(program: Command, globals: () => GlobalOptions, io: Io, done: (code: ExitCode) => void): void {
  const grants = program
    .command('grants')
    .description('Give out, list and revoke the keys clients open the gateway with.')
    .addHelpText('after', EXAMPLES.grants);
  const several = (glob: string, globs: readonly string[] = []): string[] => [...globs, glob];

  grants
    .command('add <name>')
    .description('Make a key and print it, this once; the configuration keeps a hash of it.')
    .option('--server <glob>', 'only servers of such a name; may be given several times (default: all)', several)
    .option('--policy <file>', 'its policy (default: gateway.defaultPolicy)')
    .option('--expires <when>', 'a date such as 2027-01-31, or a time from now: 12h, 30d, 2w (default: never)')
    .option('--rotate', 'give a grant that exists another key beside the one it has; of three the oldest goes')
    .action(async (name: string, options: AddOptions) => done(await addGrant(name, { ...globals(), ...options }, io)));
  grants
    .command('list')
    .description('List names, servers, policies, ends and key ids.')
    .action(async () => done(await listGrants(globals(), io)));
  grants
    .command('revoke <name>')
    .description('Take a grant out of the configuration, and end what it has open.')
    .action(async (name: string) => done(await revokeGrant(name, globals(), io)));
}

/** `approvals`: commands that talk to the running gateway. */
function addApprovals(program: Command, globals: () => GlobalOptions, io: Io, done: (code: ExitCode) => void): void {
  const approvals = program
    .command('approvals')
    .description('Decide about calls that wait for the approval of a person, in the running gateway.')
    .addHelpText('after', EXAMPLES.approvals);
  const command = (words: string, description: string): Command =>
    approvals
      .command(words)
      .description(description)
      .option('--url <url>', 'where the gateway listens (default: gateway.host and gateway.port)');
  const given = (options: ApprovalsOptions): ApprovalsOptions => ({ ...globals(), ...options });

  command('list', 'List what waits.')
    .option('--all', 'what is decided or over, too')
    .action(async (options: ApprovalsOptions) => done(await listApprovals(given(options), io)));
  command('show <id>', 'Print one with its arguments.').action(async (id: string, options: ApprovalsOptions) =>
    done(await showApproval(id, given(options), io)),
  );
  for (const effect of ['approve', 'deny'] as const) {
    const meaning =
      effect === 'approve'
        ? 'Let the call through once, when it is tried again.'
        : 'Refuse the call when it is tried again.';
    command(`${effect} <id>`, meaning)
      .option('--note <text>', 'what to say about it')
      .action(async (id: string, options: ApprovalsOptions) =>
        done(await decideApproval(effect, id, given(options), io)),
      );
  }
}

function portNumber(text: string): number {
  const port = Number(text);
  if (!/^\d{1,5}$/.test(text) || port > 65_535) {
    throw new InvalidArgumentError('A port is a whole number from 0 to 65535.');
  }
  return port;
}
