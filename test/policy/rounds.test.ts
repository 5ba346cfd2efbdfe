/** A call with input requests counts once and is recorded once; a forged round passes no limit. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type ClientKind, Clients, textOf } from '../e2e/clients.ts';
import { type OwnGateway, startReadyGateway } from '../e2e/gateway.ts';
import { modernRequest, type RawReply, send } from '../e2e/raw.ts';
import { until } from '../e2e/until.ts';
import { type HttpFixture, startV1Http, startV2Http } from '../fixtures/mcp/http.ts';
import { auditLines, denialOf, type Json } from './gateway.ts';

const CASES = (['v1', 'v2-legacy', 'v2-modern', 'raw'] as const).flatMap((client) =>
  (['legacy', 'modern'] as const).map((server) => [client, server] as const),
);
const policy = {
  version: '1',
  default: 'allow',
  tools: { ask: { limits: [{ counter: 'asks', window: 'day', max: 1 }] } },
};

let v1: HttpFixture;
let v2: HttpFixture;
let gateway: OwnGateway;
const clients = new Clients();
const nameOf = (client: string, server: string): string => `${server}-${client}`;

beforeAll(async () => {
  [v1, v2] = await Promise.all([startV1Http(), startV2Http('modern')]);
  const entry = (server: string) => ({ url: server === 'legacy' ? v1.url : v2.url, policy });
  gateway = await startReadyGateway({
    servers: Object.fromEntries(CASES.map(([client, server]) => [nameOf(client, server), entry(server)])),
    gateway: { audit: true },
  });
});
afterEach(() => clients.close());
afterAll(async () => {
  await gateway?.close();
  await Promise.all([v1?.close(), v2?.close()]);
});

const linesOf = (server: string) => auditLines(gateway).filter((line) => line.server === server && line.name === 'ask');

describe.each(CASES.filter(([client]) => client !== 'raw'))('a %s client of a %s server', (kind, server) => {
  it('is counted once for a call that asks', async () => {
    const name = nameOf(kind, server);
    const client = await clients.connect(
      kind as ClientKind,
      { http: gateway.url },
      {
        elicit: () => ({ action: 'accept', content: { name: 'Ada' } }),
      },
    );
    expect(textOf(await client.call(`${name}__ask`))).toBe('accept: {"name":"Ada"}');
    expect(denialOf(await client.call(`${name}__ask`))?.code).toBe('SWB_RATE_LIMITED');
    const lines = await until(() => {
      const now = linesOf(name);
      return now.some(({ outcome }) => outcome === 'denied') && now.some(({ outcome }) => outcome === 'ok') && now;
    }, 'the audit');
    // A modern client of a modern server comes back with a request of its own.
    const rounds = kind === 'v2-modern' && server === 'modern' ? ['pending', 'ok', 'denied'] : ['ok', 'denied'];
    expect(lines.map(({ outcome }) => outcome)).toEqual(rounds);
  });
});

describe.each(['legacy', 'modern'] as const)('forged state of a client for a %s server', (server) => {
  it('does not pass a limit, nor does a replayed one', async () => {
    const name = `${nameOf('raw', server)}__ask`;
    const ask = async (more: Json = {}): Promise<RawReply['message']> => {
      const params = { name, arguments: {}, ...more };
      return (await send(gateway.url, modernRequest('tools/call', params, { capabilities: { elicitation: {} } })))
        .message;
    };
    const answered = { name: { action: 'accept', content: { name: 'Eve' } } };
    const first = await ask();
    expect(first.result).toMatchObject({ resultType: 'input_required' });
    const { requestState, inputRequests } = first.result as { requestState: string; inputRequests: Json };
    const inputResponses = Object.fromEntries(Object.keys(inputRequests).map((key) => [key, answered.name]));

    const refused = ({ result, error }: RawReply['message']): void => {
      const code = result ? denialOf(result as never)?.code : error?.data?.code;
      expect(['SWB_RATE_LIMITED', 'SWB_INVALID_PARAMS', 'SWB_STATE_INVALID', 'SWB_ASK_EXPIRED']).toContain(code);
    };
    for (const forged of ['', 'x', 'fixture-state2', `${requestState}x`, requestState.slice(0, -2)]) {
      refused(await ask({ requestState: forged, inputResponses }));
    }
    refused(await ask({ inputResponses }));
    // Another request cannot go on with it.
    refused(await ask({ requestState, inputResponses, arguments: { aside: true } }));
    const done = await ask({ requestState, inputResponses });
    expect(JSON.stringify(done.result)).toContain('Eve');
    refused(await ask({ requestState, inputResponses }));
  });
});
