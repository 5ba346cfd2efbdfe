/** A hidden name is answered like an unknown one, byte by byte, at every endpoint and in both eras. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type OwnGateway, startReadyGateway } from '../e2e/gateway.ts';
import { type HttpFixture, startV1Http, startV2Http } from '../fixtures/mcp/http.ts';
import { auditLines, type Json, rawCallers } from './gateway.ts';
import { grant } from './grants.ts';

const hidden = { hide: ['echo', 'greet', 'fixture://readme', 'fixture://notes/{id}'] };
const open = { version: '1', default: 'allow', ...hidden };
const listed = {
  version: '1',
  default: 'deny',
  ...hidden,
  tools: { add: {} },
  prompts: { broken: {} },
  resources: { 'fixture://counter': {} },
};
const reader = grant({ policy: { version: '1', default: 'allow' } });
/** Has not been refused so often that refusals are counted together. */
const other = grant({ policy: { version: '1', default: 'allow' } });

let v1: HttpFixture;
let v2: HttpFixture;
let gateway: OwnGateway;

beforeAll(async () => {
  [v1, v2] = await Promise.all([startV1Http(), startV2Http('modern')]);
  gateway = await startReadyGateway({
    servers: {
      v1: { url: v1.url, policy: open },
      v2: { url: v2.url, policy: open },
      v1deny: { url: v1.url, policy: listed },
      v2deny: { url: v2.url, policy: listed },
    },
    gateway: { audit: true, grants: { reader: reader.entry, other: other.entry } },
  });
});
afterAll(async () => {
  await gateway?.close();
  await Promise.all([v1?.close(), v2?.close()]);
});

interface Names {
  tool: string;
  prompt: string;
  uri: string;
  template: string;
}

const HIDDEN: Names = {
  tool: 'echo',
  prompt: 'greet',
  uri: 'fixture://readme',
  template: 'fixture://notes/{id}',
};
/** As long as the others: only the name itself may differ. */
const INVENTED: Names = {
  tool: 'ecco',
  prompt: 'grent',
  uri: 'fixture://reedme',
  template: 'fixture://nodes/{id}',
};

const requests = ({ tool, prompt, uri, template }: Names): [string, Json][] => [
  ['tools/call', { name: tool, arguments: { text: 'x' } }],
  ['tools/call', { name: tool, arguments: { wrong: 1 } }],
  ['prompts/get', { name: prompt, arguments: { name: 'x' } }],
  ['resources/read', { uri }],
  ['resources/read', { uri: template.replace('{id}', '7') }],
  ['completion/complete', { ref: { type: 'ref/prompt', name: prompt }, argument: { name: 'name', value: 'A' } }],
  ['completion/complete', { ref: { type: 'ref/resource', uri: template }, argument: { name: 'id', value: 'A' } }],
];

const inMerged = (server: string, { tool, prompt, uri, template }: Names): Names => ({
  tool: `${server}__${tool}`,
  prompt: `${server}__${prompt}`,
  uri: `${server}+${uri}`,
  template: `${server}+${template}`,
});

/** The reply without its id, with the names of the one spelled as those of the other. */
const bytesOf = (reply: Json, names: Names, as: Names): string => {
  let text = JSON.stringify(reply);
  const uris: [string, string][] = [
    [names.template.replace('{id}', '7'), as.template.replace('{id}', '7')],
    [names.template, as.template],
    [names.uri, as.uri],
  ];
  for (const [from, to] of uris) text = text.replaceAll(from, to);
  return text.replaceAll(`'${names.tool}'`, `'${as.tool}'`).replaceAll(`'${names.prompt}'`, `'${as.prompt}'`);
};

describe.each(['v1', 'v2', 'v1deny', 'v2deny'])('of server %s', (server) => {
  describe.each(['merged', 'own'])('at its %s endpoint', (where) => {
    const url = () => (where === 'merged' ? gateway.url : gateway.at(`/servers/${server}/mcp`));
    const spell = (names: Names) => (where === 'merged' ? inMerged(server, names) : names);

    it('a hidden name is answered like an unknown one', async () => {
      for (const { era, ask } of await rawCallers(url(), reader.headers)) {
        const secret = requests(spell(HIDDEN));
        for (const [index, [method, params]] of requests(spell(INVENTED)).entries()) {
          const nobody = await ask(method, params);
          const kept = await ask(...(secret[index] as [string, Json]));
          expect(nobody.error ?? nobody.result?.isError, `${era} ${method} ${JSON.stringify(nobody)}`).toBeTruthy();
          expect(bytesOf(kept, spell(HIDDEN), spell(INVENTED)), `${era} ${method}`).toBe(JSON.stringify(nobody));
          expect(JSON.stringify(kept)).not.toMatch(/policy|hidden|denied/i);
        }
      }
    });

    it('a hidden name is in no list', async () => {
      for (const { ask } of await rawCallers(url(), reader.headers)) {
        for (const [method, name] of [
          ['tools/list', `"${spell(HIDDEN).tool}"`],
          ['prompts/list', `"${spell(HIDDEN).prompt}"`],
          ['resources/list', spell(HIDDEN).uri],
          ['resources/templates/list', spell(HIDDEN).template],
        ] as const) {
          const { result } = await ask(method);
          expect(result).toBeDefined();
          expect(JSON.stringify(result)).not.toContain(name);
        }
      }
    });
  });
});

describe('a hidden resource', () => {
  it('cannot be subscribed to, like an unknown one', async () => {
    const [legacy] = await rawCallers(gateway.at('/servers/v1/mcp'), reader.headers);
    const subscribe = (uri: string) => legacy?.ask('resources/subscribe', { uri });
    const [kept, nobody] = [await subscribe('fixture://readme'), await subscribe('fixture://reedme')];
    expect(kept?.error?.message).toBe(nobody?.error?.message.replace('reedme', 'readme'));
    expect((await subscribe('fixture://counter'))?.result).toEqual({});
  });
});

describe('the audit', () => {
  it('records that the name was hidden', async () => {
    const [legacy] = await rawCallers(gateway.at('/servers/v2/mcp'), other.headers);
    await legacy?.ask('tools/call', { name: 'echo', arguments: { text: 'private' } });
    await legacy?.ask('resources/read', { uri: 'fixture://readme' });
    await gateway.stop().catch((error: Error) => expect(error.message).toBe(''));
    const lines = auditLines(gateway).filter(({ server }) => server === 'v2');
    expect(lines.filter(({ name }) => name === 'echo').at(-1)).toMatchObject({
      verdict: 'deny',
      outcome: 'denied',
      policy: 'server:v2',
      rule: '(hidden)',
      argKeys: ['text'],
    });
    expect(lines.filter(({ name }) => name === 'fixture://readme').at(-1)).toMatchObject({ rule: '(hidden)' });
  });
});
