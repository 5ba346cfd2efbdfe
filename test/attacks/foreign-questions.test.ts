/** A modern server's ask is answered by the principal that received it; only a client that declared it receives one. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type OwnGateway, startReadyGateway } from '../e2e/gateway.ts';
import { modernRequest, type RawReply, send } from '../e2e/raw.ts';
import { type HttpFixture, startV2Http } from '../fixtures/mcp/http.ts';
import { grant, type TestGrant } from '../policy/grants.ts';

const FORM = { elicitation: {} };
const everything = { policy: { version: '1', default: 'allow' } };
const [ada, eve] = [grant(everything), grant(everything)];

let v2: HttpFixture;
let gateway: OwnGateway;

beforeAll(async () => {
  v2 = await startV2Http('modern');
  gateway = await startReadyGateway({
    servers: { m: { url: v2.url }, shared: { url: v2.url, isolation: 'shared' } },
    gateway: { grants: { ada: ada.entry, eve: eve.entry } },
  });
});
afterAll(async () => {
  await gateway?.close();
  await v2?.close();
});

const ENDPOINTS = [
  ['the merged endpoint', '/mcp', 'm__ask'],
  ['the server’s own endpoint', '/servers/m/mcp', 'ask'],
  ['the endpoint of a server with shared sessions', '/servers/shared/mcp', 'ask'],
] as const;

describe.each(ENDPOINTS)('at %s', (_where, path, name) => {
  const call = async (who: TestGrant, params: object = {}, capabilities: object = FORM): Promise<RawReply> => {
    const request = modernRequest('tools/call', { name, arguments: {}, ...params }, { capabilities });
    return send(gateway.at(path), { ...request, headers: { ...request.headers, ...who.headers } });
  };
  const accept = (by: string) => ({ name: { action: 'accept', content: { name: by } } });

  it('the state of a question is of no use to another grant, and still is to its own', async () => {
    const asked = await call(ada);
    expect(asked.message.result).toMatchObject({ resultType: 'input_required', inputRequests: { name: {} } });
    const requestState = asked.message.result?.requestState as string;
    for (const state of [requestState, 'fixture-state', `${requestState}x`]) {
      const stolen = await call(eve, { requestState: state, inputResponses: accept('Eve') });
      expect(stolen.message.error).toMatchObject({ code: -32602, data: { code: 'SWB_INVALID_PARAMS' } });
    }
    const done = await call(ada, { requestState, inputResponses: accept('Ada') });
    expect(done.message.result).toMatchObject({ content: [{ text: 'accept: {"name":"Ada"}' }] });
  });

  it('a client that declared nothing is told what it would have to declare, and not asked', async () => {
    const refused = await call(ada, {}, {});
    expect(refused.text).not.toContain('What is your name?');
    expect(refused).toMatchObject({
      status: 400,
      message: { error: { code: -32021, data: { requiredCapabilities: { elicitation: {} } } } },
    });
  });
});
