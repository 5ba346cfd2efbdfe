/**
 * Runs commands of the gateway in this process for the shells of a clone, whose `npx` sends them here: most of what a short command costs
 * is the start of its process. Everything else is as typed: the shell reads the line, and the command has its folder and environment.
 * A command is stopped when its shell ends before. A server that it starts on stdio gets the environment of this process, and what is piped
 * into a command is refused: stdin stays with the shell.
 * @module
 */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';
import { run } from '../../src/cli/program.ts';
import { testIo } from '../../src/cli/testing/io.ts';

export interface CommandServer {
  /** Lines of `sh` that run `"$@"` as a command: its output, its errors, its exit code. */
  readonly script: string;
  close(): Promise<void>;
}

/** Listens at a socket that does not exist yet. Who may connect is up to its folder. */
export async function serveCommands(socket: string): Promise<CommandServer> {
  const running = new Set<Promise<unknown>>();
  const server = createServer((request, response) => {
    const answered = answer(request, response)
      .then(
        (script) => response.end(script),
        (error: Error) => response.writeHead(500).end(error.stack),
      )
      .finally(() => running.delete(answered));
    running.add(answered);
  }).listen(socket);
  await once(server, 'listening');
  return {
    script: `[ ! -p /dev/stdin ] || { echo 'What is piped into a command of a page is not passed on.' >&2; exit 70; }
answer=$({ env -0; printf '\\0'; printf '%s\\0' "$PWD" "$@"; } |
  curl -sS --fail-with-body --unix-socket '${socket}' --data-binary @- http://localhost/) || { echo "$answer" >&2; exit 70; }
eval "$answer"
`,
    async close() {
      // Stops what still runs, as its shell's end does.
      server.closeAllConnections();
      await Promise.all([once(server.close(), 'close'), ...running]);
    },
  };
}

/** The body: variables of the environment, an empty one, the folder, the words, each with a NUL behind it. */
async function answer(request: IncomingMessage, response: ServerResponse): Promise<string> {
  const parts = (await text(request)).split('\0').slice(0, -1);
  const end = parts.indexOf('');
  const env = Object.fromEntries(
    parts.slice(0, end).map((variable): [string, string] => {
      const at = variable.indexOf('=');
      return [variable.slice(0, at), variable.slice(at + 1)];
    }),
  );
  const [cwd = '', ...words] = parts.slice(end + 1);
  const io = testIo({ env, cwd, stdin: '' });
  response.on('close', () => {
    // The shell was stopped, and curl with it.
    if (!response.writableEnded) io.send('SIGTERM');
  });
  const code = await run(words, io);
  return `printf %s ${quoted(io.stdout.text)}\nprintf %s ${quoted(io.stderr.text)} >&2\nexit ${code}\n`;
}

const quoted = (value: string): string => `'${value.replaceAll("'", "'\\''")}'`;
