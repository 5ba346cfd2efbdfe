/** `switchboard connections` against a real gateway, a real authorization server and a server that asks for logins. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type RecordingUpstream, startRecording } from '../../../test/attacks/recording-upstream.ts';
import { PersonAtBrowser } from '../../../test/auth/person.ts';
import { type OwnGateway, startGateway } from '../../../test/e2e/gateway.ts';
import { until } from '../../../test/e2e/until.ts';
import { type OauthMcp, startOauthMcp } from '../../../test/fixtures/mcp/oauth.ts';
import { type Oidc, startOidc } from '../../../test/fixtures/oidc.ts';
import { newKey } from '../../auth/key.ts';
import { loadConfig } from '../../load-config.ts';
import { run } from '../program.ts';
import { announce, newLocalKey } from '../running-gateway.ts';
import { type TestIo, testIo } from '../testing/io.ts';

let oidc: Oidc;
let mail: OauthMcp;
let open: RecordingUpstream;
/** Refresh tokens that were issued. Access tokens are JWTs. */
const issued: string[] = [];

beforeAll(async () => {
  oidc = await startOidc();
  oidc.provider().on('refresh_token.saved', ({ jti }) => issued.push(jti));
  mail = await startOauthMcp(oidc.issuer);
  open = await startRecording({ era: 'modern' });
});
afterAll(async () => {
  await open.close();
  await mail.close();
  await oidc.close();
});

const setup = () => ({
  servers: {
    mail: { url: mail.url },
    team: { url: mail.url, auth: { type: 'oauth', per: 'gateway' } },
    open: { url: open.url },
    keyed: { url: open.url, auth: { type: 'headers' } },
  },
  gateway: {
    defaultPolicy: { version: '1', default: 'allow' },
    grants: { ada: { key: newKey().stored } },
  },
});

interface Ran extends TestIo {
  code: number;
}

let file: string;
/** Of all commands of a test. */
let printed: string;

async function cli(args: readonly string[], meanwhile?: (io: TestIo) => Promise<void>): Promise<Ran> {
  const io = testIo();
  const running = run(['connections', ...args, '--config', file, '--no-color'], io);
  await Promise.all([running, meanwhile?.(io)]);
  printed += io.stdout.text + io.stderr.text;
  return { ...io, code: await running };
}

const pageIn = (io: TestIo) =>
  until(() => {
    const url = /http:\S+\/connect\/[\w-]{22}/.exec(io.stdout.text)?.[0];
    return url !== undefined && io.stdout.text.includes('code') ? { url, message: io.stdout.text } : undefined;
  }, `the page is printed`);

/** Runs `connect`, and logs in on its page. */
const connect = (args: readonly string[], account: string): Promise<Ran> =>
  cli(['connect', ...args], async (io) => new PersonAtBrowser(oidc).logIn(await pageIn(io), account));

const jsonOf = ({ stdout }: Ran): unknown => JSON.parse(stdout.text);

beforeEach(() => {
  printed = '';
});

/** What is the same whether a gateway runs or not. */
function behaves(): void {
  it('says that nobody has logged in', async () => {
    expect(await cli(['list'])).toMatchObject({ code: 0, stdout: { text: 'Nobody has logged in to a server.\n' } });
    expect(jsonOf(await cli(['list', '--json']))).toEqual({ connections: [] });
  });

  it('prints the page, ends when the person has logged in, lists the login and revokes it, without a token', async () => {
    const connected = await connect(['mail', '--grant', 'ada'], 'ada@mail');
    expect(connected.code).toBe(0);
    expect(connected.stdout.lines).toEqual([
      'To log ada in to mail, open',
      expect.stringMatching(/^ {2}http:\/\/127\.0\.0\.1:\d+\/connect\/[\w-]{22}$/),
      expect.stringMatching(/^and type the code [A-Z]{4}-[A-Z]{4} there\. It expires in 1[45] minutes\.$/),
    ]);
    expect(connected.stderr.lines).toEqual([
      'Waiting for the login (Ctrl+C ends the waiting).',
      'Connected: ada may use mail.',
    ]);
    await connect(['mail'], 'me@mail');

    const { stdout } = await cli(['list']);
    expect(stdout.lines).toEqual([
      expect.stringMatching(/^SERVER +WHO +STATE +SINCE +SCOPES +ISSUER$/),
      expect.stringMatching(/^mail +ada +connected +\d+ seconds? ago +mcp:read +http:\/\/127\.0\.0\.1:\d+$/),
      expect.stringMatching(/^mail +local +connected +/),
    ]);
    expect(jsonOf(await cli(['list', '--principal', 'ada', '--json']))).toEqual({
      connections: [
        {
          ...{ principal: 'ada', server: 'mail', issuer: oidc.issuer, resource: mail.url, scopes: ['mcp:read'] },
          ...{ state: 'connected', renewable: true },
          since: expect.stringMatching(/Z$/),
          expiresAt: expect.stringMatching(/Z$/),
        },
      ],
    });

    expect(await cli(['revoke', 'mail', '--grant', 'ada'])).toMatchObject({
      code: 0,
      stdout: { text: 'Revoked: ada cannot use mail until the next login.\n' },
    });
    expect(await cli(['revoke', 'mail'])).toMatchObject({
      stdout: { text: 'Revoked: the local user cannot use mail until the next login.\n' },
    });
    expect(await cli(['revoke', 'mail'])).toMatchObject({
      code: 1,
      stderr: { text: 'There is no such login to mail.\n' },
    });
    expect(jsonOf(await cli(['list', '--json']))).toEqual({ connections: [] });
    expect(issued).not.toHaveLength(0);
    expect(printed).not.toContain('eyJ');
    expect(issued.filter((token) => printed.includes(token))).toEqual([]);
  });

  it('logs in a person under a grant, as the refusal of their call says', async () => {
    const person = 'https://id.example/realms/acme#7';
    const connected = await connect(['mail', '--principal', person, '--grant', 'ada'], 'seven@mail');
    expect(connected.stderr.text).toContain(`Connected: ${person} may use mail.`);
    expect(jsonOf(await cli(['revoke', 'mail', '--principal', person, '--json']))).toEqual({
      server: 'mail',
      revoked: [person],
    });
  });

  it('logs everybody in to a server with one login', async () => {
    const connected = await connect(['team', '--grant', 'ada'], 'team@mail');
    expect(connected.stderr.text).toContain('Connected: everybody may use team.');
    expect(jsonOf(await cli(['revoke', 'team', '--json']))).toEqual({ server: 'team', revoked: ['(gateway)'] });
  });

  it('ends with Ctrl+C while it waits', async () => {
    const { code } = await cli(['connect', 'mail'], async (io) => {
      await until(() => io.stderr.text.includes('Waiting'), 'the command waits');
      io.send('SIGINT');
    });
    expect(code).toBe(130);
  });

  it.each([
    ['a server that there is not', ['connect', 'nosuch'], 2, "There is no server named 'nosuch'."],
    ['a server that needs no login', ['connect', 'open'], 1, "to server 'open': it names no authorization server"],
    ['a server whose entry says how it is called', ['connect', 'keyed'], 1, "Nobody logs in to server 'keyed'"],
    ['a grant that there is not', ['connect', 'mail', '--grant', 'nobody'], 2, "There is no grant 'nobody'."],
    ['two people at once', ['revoke', 'mail', '--grant', 'ada', '--principal', 'x'], 2, 'not both'],
    ['a login that there is not', ['revoke', 'nosuch'], 1, 'There is no such login to nosuch.'],
  ])('fails with a message for %s', async (_, args, code, words) => {
    const ran = await cli(args);
    expect([ran.code, ran.stdout.text]).toEqual([code, '']);
    expect(ran.stderr.text).toContain(words);
  });
}

describe('switchboard connections, with a gateway that runs', () => {
  let own: OwnGateway;
  let silence: () => Promise<void>;

  beforeAll(async () => {
    own = await startGateway(setup());
    ({ file } = own);
    silence = await announce(await loadConfig({ file, env: {} }), own.url, newLocalKey());
    await own.gateway.settled();
  });
  afterAll(async () => {
    await silence();
    await own.close();
  });

  behaves();

  it('makes logins that calls use at once', async () => {
    await connect(['mail'], 'me@mail');
    expect(own.status('mail').state).toBe('ready');
    await cli(['revoke', 'mail']);
  });

  it('prints the page without waiting, as JSON too', async () => {
    const { code, stdout, stderr } = await cli(['connect', 'mail', '--no-wait']);
    expect([code, stdout.lines.length, stderr.text]).toEqual([0, 3, '']);
    expect(jsonOf(await cli(['connect', 'mail', '--no-wait', '--json']))).toEqual({
      ...{ id: expect.stringMatching(/^[\w-]{22}$/), server: 'mail', principal: 'local' },
      url: `${own.at('/connect/').href}${/connect\/([\w-]{22})/.exec(stdout.text)?.[1]}`,
      code: expect.stringMatching(/^[A-Z]{4}-[A-Z]{4}$/),
      expiresAt: expect.stringMatching(/Z$/),
    });
  });

  it('ends when the page was closed after wrong codes', async () => {
    const { code, stderr } = await cli(['connect', 'mail'], async (io) => {
      const { url } = await pageIn(io);
      const person = new PersonAtBrowser(oidc);
      for (let n = 0; n < 5; n++) await person.type(url, 'BBBB-BBBB');
    });
    expect([code, stderr.text]).toEqual([1, expect.stringContaining('closed after too many wrong codes')]);
  });
});

describe('switchboard connections, with the state of a gateway that does not run', () => {
  let own: OwnGateway;

  beforeAll(async () => {
    own = await startGateway(setup());
    ({ file } = own);
    await own.stop();
  });
  afterAll(() => own.close());
  // A browser that comes back to a command that has ended would not read that it is connected.
  behaves();

  it('waits, since it serves the page itself', async () => {
    const { code, stderr } = await cli(['connect', 'mail', '--no-wait']);
    expect([code, stderr.text]).toEqual([2, expect.stringContaining('--no-wait needs a gateway that runs')]);
  });

  it('revokes the login to a server that is not configured any more', async () => {
    await connect(['mail'], 'me@mail');
    own.write({});
    expect((await cli(['revoke', 'mail'])).code).toBe(0);
    own.write(setup().servers);
  });

  it('has its page on loopback, wherever the gateway would listen', async () => {
    own.writeText(
      JSON.stringify({
        gateway: { ...setup().gateway, stateDir: 'state', host: '0.0.0.0', port: 0 },
        mcpServers: setup().servers,
      }),
    );
    const { stderr } = await connect(['mail'], 'me@mail');
    expect(stderr.text).toContain('Connected');
    expect(printed).toMatch(/http:\/\/127\.0\.0\.1:\d+\/connect\//);
  });

  it('says that nothing is kept without a state folder', async () => {
    own.writeText(JSON.stringify({ gateway: { stateDir: false }, mcpServers: setup().servers }));
    const { code, stderr } = await cli(['list']);
    expect([code, stderr.text]).toEqual([2, expect.stringContaining('logins are kept nowhere without a state folder')]);
  });
});
