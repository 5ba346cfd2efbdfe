import { afterEach, describe, expect, it } from 'vitest';
import { removeTemporaryFolders } from '../config/testing/files.ts';
import { PRODUCT } from '../core/product.ts';
import { hasColour } from './output.ts';
import { CALCULATOR, runCli, WRITER } from './testing/cli.ts';
import { Screen } from './testing/io.ts';

afterEach(removeTemporaryFolders);

describe('help', () => {
  it('teaches the program and every command by example', async () => {
    const program = await runCli(['--help']);
    expect(program.code).toBe(0);
    expect(program.stdout.text).toContain('Exit codes:');
    const commands = ['serve', 'check', 'list', 'call', 'agents', 'ask', 'lock', 'approvals'];
    for (const command of commands) {
      expect(program.stdout.text).toMatch(new RegExp(`^  ${command}\\b`, 'm'));
      const { code, stdout, probe } = await runCli([command, '--help']);
      expect(stdout.text).toContain('Examples:\n');
      expect(stdout.text).toContain(`switchboard ${command}`);
      expect(stdout.text).toContain('--json');
      expect(code).toBe(0);
      expect(probe.made).toHaveLength(0);
    }
  });

  it('names the command as it can be typed after npx', async () => {
    const env = { npm_command: 'exec' };
    const { stdout } = await runCli(['call', '--help'], { env });
    expect(stdout.text).toMatch(/^Usage: npx agent-switchboard call /);
    expect(stdout.text).toContain("\n  npx agent-switchboard call everything__echo '{");
    const { stderr } = await runCli(['call', 'zzz'], { env });
    expect(stderr.text).toContain('See `npx agent-switchboard list`.');
  });

  it('prints the version', async () => {
    const { code, stdout } = await runCli(['--version']);
    expect(stdout.text).toBe(`${PRODUCT.version}\n`);
    expect(code).toBe(0);
  });
});

describe('wrong usage exits with 2', () => {
  it.each([
    [['--prt', '0'], "unknown option '--prt'\n(Did you mean --port?)"],
    [['--json', 'srve'], "unknown command 'srve'\n(Did you mean serve?)"],
    [['chek'], "unknown command 'chek'\n(Did you mean check?)"],
    [['check', '--jsn'], "unknown option '--jsn'\n(Did you mean --json?)"],
    [['call'], "missing required argument 'tool'"],
    [['list', 'a', 'b'], 'too many arguments'],
    [['serve', '--port', '99999'], 'A port is a whole number from 0 to 65535.'],
    [['check', '--log-level', 'loud'], 'Allowed choices are trace, debug, info, warn, error, silent.'],
  ])('%j', async (args, message) => {
    const { code, stderr, stdout, probe } = await runCli(args);
    expect(stderr.text).toContain(message);
    expect(stdout.text).toBe('');
    expect(code).toBe(2);
    expect(probe.made).toHaveLength(0);
  });
});

describe('errors', () => {
  const broken = { servers: { a: { url: 'x' }, b: {} }, gatway: {} };

  it('lists all mistakes of the configuration and starts nothing', async () => {
    const { code, stderr, probe } = await runCli(['check'], { content: broken });
    expect(stderr.lines[0]).toBe('error The configuration has 3 mistakes; nothing was started.');
    expect(stderr.lines).toHaveLength(4);
    expect(stderr.lines[3]).toMatch(
      /^ {2}servers\.json:\d+:\d+ gatway: found an unknown key; did you mean "gateway"\?/,
    );
    expect(code).toBe(2);
    expect(probe.made).toHaveLength(0);
  });

  it('prints them as JSON with --json', async () => {
    const { code, json } = await runCli(['check', '--json'], { content: broken });
    expect(json()).toMatchObject({ error: { code: 'SWB_CONFIG', mistakes: { length: 3 } } });
    expect(code).toBe(2);
    const usage = await runCli(['call', 'nothing', '--json']);
    expect(usage.json()).toMatchObject({ error: { code: 'USAGE', message: expect.stringContaining('nothing') } });
  });

  it('says what to do where there is no configuration', async () => {
    const { code, stderr } = await runCli(['check', '-c', '/nowhere/servers.json']);
    expect(stderr.text).toBe('error /nowhere/servers.json: there is no such file.\n');
    expect(code).toBe(2);
  });
});

describe('a command that gets a signal', () => {
  const never = { ...WRITER, gate: new Promise<void>(() => {}) };

  it('exits with 130 on SIGINT, in order', async () => {
    const { code, stderr, probe, exits } = await runCli(['check'], {
      servers: [CALCULATOR, never],
      async meanwhile(io, gateway) {
        await expect.poll(() => gateway.made.length).toBe(1);
        io.send('SIGINT');
      },
    });
    expect(code).toBe(130);
    expect(stderr.text).toBe('');
    expect(probe.closed).toBe(1);
    expect(exits).toEqual([]);
  });

  it('cancels the call that is running', async () => {
    const cancelled = Promise.withResolvers<void>();
    const hanging: typeof CALCULATOR = {
      ...CALCULATOR,
      answer: (_method, _params, call) =>
        new Promise((_resolve, reject) => {
          call.onAbort((reason) => {
            cancelled.resolve();
            reject(reason);
          });
          begun.resolve();
        }),
    };
    const begun = Promise.withResolvers<void>();
    const { code } = await runCli(['call', 'calculator__hang'], {
      servers: [hanging, WRITER],
      async meanwhile(io) {
        await begun.promise;
        io.send('SIGINT');
        await cancelled.promise;
      },
    });
    expect(code).toBe(130);
  });

  it('ends at once on a second SIGINT', async () => {
    const { exits } = await runCli(['check'], {
      servers: [CALCULATOR, never],
      async meanwhile(io, gateway) {
        await expect.poll(() => gateway.made.length).toBe(1);
        io.send('SIGINT');
        io.send('SIGINT');
      },
    });
    expect(exits).toEqual([130]);
  });

  it('ends quietly when the reader of its output is gone', async () => {
    const { code, stderr } = await runCli(['check'], {
      servers: [CALCULATOR, never],
      async meanwhile(io, gateway) {
        await expect.poll(() => gateway.made.length).toBe(1);
        io.stdout.emit('error', Object.assign(new Error('write EPIPE'), { code: 'EPIPE' }));
      },
    });
    expect(stderr.text).toBe('');
    expect(code).toBe(0);
  });
});

describe('colours', () => {
  const ESC = '\u001b[';

  it('are there on a terminal, and nowhere else unless forced', async () => {
    expect((await runCli(['check'], { terminal: true })).stdout.text).toContain(ESC);
    expect((await runCli(['check'])).stdout.text).not.toContain(ESC);
    expect((await runCli(['check'], { env: { FORCE_COLOR: '1' } })).stdout.text).toContain(ESC);
  });

  it('are off with --no-color wherever it stands, and with NO_COLOR', async () => {
    expect((await runCli(['check', '--no-color'], { terminal: true })).stdout.text).not.toContain(ESC);
    expect((await runCli(['--no-color', 'check'], { terminal: true })).stdout.text).not.toContain(ESC);
    expect((await runCli(['check'], { terminal: true, env: { NO_COLOR: '1' } })).stdout.text).not.toContain(ESC);
  });

  it('are off on a dumb terminal and when forced off', () => {
    const screen = new Screen(true);
    expect(hasColour({ env: {} }, screen)).toBe(true);
    expect(hasColour({ env: { TERM: 'dumb' } }, screen)).toBe(false);
    expect(hasColour({ env: { FORCE_COLOR: '0' } }, screen)).toBe(false);
    expect(hasColour({ env: { NO_COLOR: '' } }, screen)).toBe(true);
  });
});
