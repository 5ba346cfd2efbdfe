/**
 * The command line: which commands there are, what they take, and what the process ends with. The code of a command is loaded
 * when it is run: `serve` starts without that of all others.
 * @module
 */

import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { ADAPTERS } from '../../adapters/index.ts';
import { LOG_LEVELS } from '../config/schema/gateway-section.ts';
import { allKinds } from '../core/kinds.ts';
import { PRODUCT } from '../core/product.ts';
import type { OpenGateway } from '../gateway-internal.ts';
import type { ApprovalsOptions } from './commands/approvals.ts';
import type { ConnectionsOptions } from './commands/connections.ts';
import type { AddOptions } from './commands/grants.ts';
import type { ImportOptions } from './commands/import.ts';
import type { LiveOptions } from './commands/live.ts';
import type { LockOptions } from './commands/lock.ts';
import { addPolicy } from './commands/policy.ts';
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
    await program.parseAsync(withCommand(program, args), { from: 'user' });
    return code;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    const { color, json } = program.opts<GlobalOptions>();
    return report(error, createOutput(io, color), json === true);
  }
}

/** Without a command the gateway is served. `--help` and `--version` are about the program. */
function withCommand(program: Command, args: readonly string[]): string[] {
  const { operands, unknown } = program.parseOptions([...args]);
  const isAsked = operands.length > 0 || ['-h', '--help'].some((flag) => unknown.includes(flag));
  return isAsked ? [...args] : ['serve', ...args];
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
    .description(
      'Serve the endpoint until stopped: over HTTP, or with --stdio for the client that started this. The command without a name.',
    )
    .option('--stdio', 'serve one client on stdin and stdout instead of HTTP')
    .option('--host <host>', 'address to listen on (default: gateway.host, 127.0.0.1)')
    .option('-p, --port <port>', 'port to listen on, 0 for any free one (default: gateway.port, 7300)', portNumber)
    .option('--token-env <name>', 'environment variable that holds the bearer token clients must present')
    .option('--allow-unauthenticated', 'listen beyond loopback without a token: whoever reaches the port may use all')
    .addHelpText('after', EXAMPLES.serve)
    .action(async (options: object) => {
      const { serve } = await import('./commands/serve.ts');
      done(await serve({ ...globals(), ...options }, io, openGateway));
    });

  program
    .command('check')
    .description('Validate the configuration, connect to every server, and print how each is.')
    .addHelpText('after', EXAMPLES.check)
    .action(() => inGateway(async (context) => (await import('./commands/check.ts')).check(context)));

  program
    .command('list')
    .description('List tools, prompts, resources and agents under the names clients see.')
    .argument('[server]', 'only this server')
    .addHelpText('after', EXAMPLES.list)
    .action((server?: string) =>
      inGateway(async (context) => (await import('./commands/list.ts')).list(context, server)),
    );

  program
    .command('call')
    .description('Call a tool and print its result.')
    .argument('<tool>', 'as `switchboard list` shows it')
    .argument('[json]', 'its arguments as a JSON object; - reads them from stdin')
    .option(...LOCAL)
    .addHelpText('after', EXAMPLES.call)
    .action((tool: string, json: string | undefined, options: object) =>
      withRequest(options, async (context) => (await import('./commands/call.ts')).call(context, tool, json)),
    );

  program
    .command('agents')
    .description('List the agents of all servers.')
    .addHelpText('after', EXAMPLES.agents)
    .action(() => inGateway(async (context) => (await import('./commands/agents.ts')).agents(context)));

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
      withRequest(options, async (context) => (await import('./commands/ask.ts')).ask(context, agent, words, options)),
    );

  program
    .command('lock')
    .description(
      'Accept what the servers say of themselves now: record it in switchboard.lock.json, and print what changed.',
    )
    .option('--check', 'write nothing; exit with 1 when something differs')
    .option('--server <name>', 'only this server')
    .addHelpText('after', EXAMPLES.lock)
    .action(async (options: LockOptions) => {
      const { lock, withoutLock } = await import('./commands/lock.ts');
      done(await withGateway(globals(), io, withoutLock(openGateway), (context) => lock(context, options)));
    });

  program
    .command('import')
    .description('Turn the servers of another program’s configuration into entries of servers.json.')
    .argument('<file>', 'its configuration: JSON, or TOML of Codex')
    .option('--from <program>', `whose file it is, where that is not seen: ${FORMATS.map(({ id }) => id).join(', ')}`)
    .option('--out <file>', 'write them there; a file that is there is added to (default: print them)')
    .option('--force', 'with --out: replace servers of the same name')
    .addHelpText('after', EXAMPLES.import)
    .action(async (file: string, options: ImportOptions) => {
      const { importServers } = await import('./commands/import.ts');
      done(await importServers(file, { ...globals(), ...options }, io));
    });

  const admin = (words: string, description: string): Command =>
    program
      .command(words)
      .description(description)
      .option('--url <url>', 'where the gateway listens (default: the one that runs for the configuration)');
  admin('top', 'Show servers, queues and calls of the running gateway as they change.').action(
    async (options: LiveOptions) =>
      done(await (await import('./commands/live.ts')).top({ ...globals(), ...options }, io)),
  );
  admin('logs', 'Print the calls of the running gateway as they end.')
    .option('--follow', 'go on until Ctrl-C')
    .action(async (options: LiveOptions) =>
      done(await (await import('./commands/live.ts')).logs({ ...globals(), ...options }, io)),
    );

  addPolicy(program, inGateway);
  addApprovals(program, globals, io, done);
  addGrants(program, globals, io, done);
  addConnections(program, globals, io, openGateway, done);
  return program;
}

/** `grants`: keys in the configuration file. A running gateway reads each change by itself. */
function addGrants(program: Command, globals: () => GlobalOptions, io: Io, done: (code: ExitCode) => void): void {
  const grants = program
    .command('grants')
    .description('Give out, list and revoke the keys clients open the gateway with.')
    .addHelpText('after', EXAMPLES.grants);
  const commands = () => import('./commands/grants.ts');
  const several = (glob: string, globs: readonly string[] = []): string[] => [...globs, glob];

  grants
    .command('add <name>')
    .description('Make a key and print it, this once; the configuration keeps a hash of it.')
    .option('--server <glob>', 'only servers of such a name; may be given several times (default: all)', several)
    .option('--policy <file>', 'its policy (default: gateway.defaultPolicy)')
    .option('--expires <when>', 'a date such as 2027-01-31, or a time from now: 12h, 30d, 2w (default: never)')
    .option('--rotate', 'give a grant that exists another key beside the one it has; of three the oldest goes')
    .action(async (name: string, options: AddOptions) =>
      done(await (await commands()).addGrant(name, { ...globals(), ...options }, io)),
    );
  grants
    .command('list')
    .description('List names, servers, policies, ends and key ids.')
    .action(async () => done(await (await commands()).listGrants(globals(), io)));
  grants
    .command('revoke <name>')
    .description('Take a grant out of the configuration, and end what it has open.')
    .action(async (name: string) => done(await (await commands()).revokeGrant(name, globals(), io)));
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
      .option('--url <url>', 'where the gateway listens (default: the one that runs for the configuration)');
  const commands = () => import('./commands/approvals.ts');
  const given = (options: ApprovalsOptions): ApprovalsOptions => ({ ...globals(), ...options });

  command('list', 'List what waits.')
    .option('--all', 'what is decided or over, too')
    .action(async (options: ApprovalsOptions) => done(await (await commands()).listApprovals(given(options), io)));
  command('show <id>', 'Print one with its arguments.').action(async (id: string, options: ApprovalsOptions) =>
    done(await (await commands()).showApproval(id, given(options), io)),
  );
  for (const effect of ['approve', 'deny'] as const) {
    const meaning =
      effect === 'approve'
        ? 'Let the call through once, when it is tried again.'
        : 'Refuse the call when it is tried again.';
    command(`${effect} <id>`, meaning)
      .option('--note <text>', 'what to say about it')
      .action(async (id: string, options: ApprovalsOptions) =>
        done(await (await commands()).decideApproval(effect, id, given(options), io)),
      );
  }
}

/** `connections`: logins of people to servers, in the running gateway or in its state. */
function addConnections(
  program: Command,
  globals: () => GlobalOptions,
  io: Io,
  openGateway: OpenGateway,
  done: (code: ExitCode) => void,
): void {
  const connections = program
    .command('connections')
    .description('List, make and revoke logins of people to servers. Tokens are never shown.')
    .addHelpText('after', EXAMPLES.connections);
  const command = (words: string, description: string): Command =>
    connections
      .command(words)
      .description(description)
      .option('--url <url>', 'where the gateway listens (default: the one that runs for the configuration)');
  const commands = () => import('./commands/connections.ts');
  const given = (options: ConnectionsOptions): ConnectionsOptions => ({ ...globals(), ...options });
  const GRANT = ['--grant <name>', 'for the holders of this grant (default: the local user)'] as const;

  command('list', 'List who has logged in to which server.')
    .option('--principal <name>', 'only those of this grant or user')
    .action(async (options: ConnectionsOptions) =>
      done(await (await commands()).listConnections(given(options), io, openGateway)),
    );
  command('connect <server>', 'Print the page on which to log in, and wait until somebody has.')
    .option(...GRANT)
    .option('--principal <name>', 'for this user, as the refusal of a call names them')
    .option('--no-wait', 'print the page and end')
    .action(async (server: string, options: ConnectionsOptions) =>
      done(await (await commands()).connectServer(server, given(options), io, openGateway)),
    );
  command('revoke <server>', 'Forget a login, and revoke its token where the issuer lets it be revoked.')
    .option(...GRANT)
    .option('--principal <name>', 'of this user, as connections list shows it')
    .action(async (server: string, options: ConnectionsOptions) =>
      done(await (await commands()).revokeConnection(server, given(options), io, openGateway)),
    );
}

function portNumber(text: string): number {
  const port = Number(text);
  if (!/^\d{1,5}$/.test(text) || port > 65_535) {
    throw new InvalidArgumentError('A port is a whole number from 0 to 65535.');
  }
  return port;
}
