/**
 * Everything in docs/policy.md that a reader may paste is loaded as it stands there, and what it says a client sees is
 * what a client sees. The word behind the language of a fenced block says what the block is:
 *
 * - `policy [file]`: a document. `servers`: a `servers.json`, beside the named files. `rule`: one rule of a tool.
 * - `result <tool> <arguments>`, `error <tool> <arguments>`: what a call under `policies/team.json` is answered with.
 * - `limited`: what the 31st call of `connectServer` gets; `test/policy/published.test.ts` makes the calls.
 * - `cases`: a file for `switchboard policy test`; `explain <tool> <arguments>` what `policy explain` prints.
 * - `approval`, `audit`, `operation`: the members of what the administration API and the audit write.
 *
 * TypeScript with a file name is a module of a hook.
 */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readCases } from '../../src/cli/commands/policy-cases.ts';
import { explanationLines } from '../../src/cli/format/explanation.ts';
import { createOutput } from '../../src/cli/output.ts';
import { testIo } from '../../src/cli/testing/io.ts';
import { loadConfig } from '../../src/load-config.ts';
import { limitDenial } from '../../src/policy/counters/denial.ts';
import { Denied } from '../../src/policy/denied.ts';
import { compileDocument } from '../../src/policy/engine/compile.ts';
import { PolicySet } from '../../src/policy/engine/policy-set.ts';
import { caller, subject } from '../../src/policy/engine/testing/build.ts';
import type { ExplainRequest } from '../../src/policy/explain/explanation.ts';
import { Hooks } from '../../src/policy/hooks/hooks.ts';
import { loadHooks } from '../../src/policy/hooks/load.ts';
import { hookConfig, hookInput, memoryLog } from '../../src/policy/hooks/testing/hooks.ts';
import { parsePolicyDocument } from '../../src/policy/language/testing/parse.ts';
import { PUBLISHED_POLICIES } from '../../src/policy/language/testing/policies.ts';
import { Rules } from '../../src/policy/rules.ts';
import type { Subject } from '../../src/policy/types.ts';
import { policyConfig } from '../../src/relay/gate/testing/policed.ts';
import { MemoryCounters } from '../../src/state/memory/counters.ts';
import type { JsonObject } from '../../src/wire/jsonrpc.ts';
import { type OwnGateway, readState, startReadyGateway } from '../e2e/gateway.ts';
import { until } from '../e2e/until.ts';
import { EVERYTHING } from '../e2e/upstreams/everything.ts';
import { grant } from '../policy/grants.ts';
import { type Block, blocksOf } from './blocks.ts';

const PAGE = readFileSync(join(import.meta.dirname, '../../docs/policy.md'), 'utf8');
const blocks = blocksOf(PAGE);
const json = blocks.filter(({ language }) => language === 'json');
const ofKind = (kind: string): Block[] => json.filter((block) => block.kind === kind);
const only = (kind: string): Record<string, unknown> => JSON.parse(ofKind(kind)[0]?.text ?? '');
const named = (file: string): unknown =>
  JSON.parse(ofKind('policy').find((block) => block.about === file)?.text ?? 'null');

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'switchboard-docs-'));
  const modules = blocks.filter(({ language, kind }) => language === 'ts' && kind !== '');
  for (const { kind, text } of modules) write(kind, text);
  for (const { about, text } of ofKind('policy')) if (about !== '') write(about, text);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function write(file: string, text: string): string {
  const path = join(folder, file);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
  return path;
}

const KINDS = ['policy', 'servers', 'rule', 'result', 'error', 'limited', 'cases', 'approval', 'audit', 'operation'];

describe('docs/policy.md', () => {
  it('labels every JSON block with a known kind', () => {
    expect(json.filter(({ kind }) => !KINDS.includes(kind)).map(({ line, kind }) => `${line}: ${kind}`)).toEqual([]);
    for (const kind of KINDS) expect(ofKind(kind), kind).not.toEqual([]);
  });

  it.each(ofKind('policy'))('has a valid document in line $line', ({ text }) => {
    expect(parsePolicyDocument(text, 'docs').mistakes).toBeUndefined();
  });

  it.each(ofKind('rule'))('has a valid rule in line $line', ({ text }) => {
    const document = { version: '1', default: 'allow', tools: { some_tool: JSON.parse(text) } };
    expect(parsePolicyDocument(document, 'docs').mistakes).toBeUndefined();
  });

  it.each(ofKind('servers'))('the configuration of line $line loads', async ({ text, line }) => {
    const config = await loadConfig({ file: write(`servers-${line}.json`, text), env: {}, cwd: folder });
    expect(config.warnings).toEqual([]);
    expect(await loadHooks(config.policy.hooks)).toHaveLength(config.policy.hooks.length);
  });

  it('prints the four published policies as they are published', () => {
    const printed = ofKind('policy').map(({ text }) => JSON.parse(text));
    for (const { policy } of PUBLISHED_POLICIES) expect(printed).toContainEqual(policy);
  });

  it('shows the result of the 31st call in a minute', async () => {
    const { document } = parsePolicyDocument(named('policies/connect.json'), 'grant:ci');
    if (!document) throw new Error('it is no document');
    const plan = new PolicySet([compileDocument(document, 'namespaced')]).planFor(
      subject('connectServer', { server: 'switchboard', namespaced: 'connectServer', builtin: true }),
    );
    const counters = new MemoryCounters({ log: memoryLog() });
    const at = Date.parse('2026-11-20T20:00:10.431Z');
    const reserve = () => {
      const verdict = plan.decide({}, caller('ci'));
      if (verdict.effect !== 'allow') throw new Error(verdict.effect);
      return counters.reserve(verdict.limits, at);
    };
    for (let call = 1; call <= 30; call++) expect(reserve().granted).toBe(true);
    const refusal = reserve();
    if (refusal.granted) throw new Error('the 31st was let through');
    expect(new Denied(limitDenial(refusal)).toolResult()).toEqual(only('limited'));
  });

  it('shows published documents that work in a grant, but not for servers connected at run time', () => {
    const { document } = parsePolicyDocument(PUBLISHED_POLICIES[0].policy, 'grant:ci');
    if (!document) throw new Error('it is no document');
    const rulesFor = (servers: string[] | undefined) =>
      new Rules(
        policyConfig({ grants: [{ name: 'ci', keys: [], servers, policy: document, expiresAt: undefined }] }),
        new Set(),
      );
    const lists = (servers: string[] | undefined, part: Partial<Subject> = {}): boolean =>
      rulesFor(servers).planFor(
        'ci',
        subject('mqttConnect', { server: 'lab', namespaced: 'lab__mqttConnect', ...part }),
      ).lists;
    expect(lists(undefined)).toBe(true);
    expect(lists(['lab'])).toBe(true);
    expect(lists(undefined, { runtime: true })).toBe(false);
    expect(lists(['lab'], { runtime: true })).toBe(true);
  });

  it('shows a module that does what its comment says', async () => {
    const module = join(folder, 'hooks/office-hours.ts');
    const hooksOpen = (options: Record<string, unknown>) =>
      Hooks.load([hookConfig({ source: { module }, options })], { log: memoryLog() });
    const closed = await hooksOpen({ from: 24 });
    expect(await closed.run(hookInput({ name: 'delete_issue' }))).toMatchObject({
      effect: 'approve',
      need: { rule: '(hook guard) hours', reason: 'delete_issue outside office hours.', timeoutMs: 600_000 },
    });
    expect(await closed.run(hookInput({ name: 'read_issue' }))).toMatchObject({ effect: 'allow' });
    const open = await hooksOpen({ from: 0, to: 24 });
    expect(await open.run(hookInput({ name: 'delete_issue' }))).toMatchObject({ effect: 'allow' });
  });
});

describe('what docs/policy.md says a client sees under policies/team.json', () => {
  const team = grant({ policy: named('policies/team.json') });
  let gateway: OwnGateway;

  beforeAll(async () => {
    gateway = await startReadyGateway({
      servers: { everything: EVERYTHING },
      gateway: { audit: true, grants: { team: team.entry } },
    });
  });
  afterAll(() => gateway?.close());

  async function ask(method: string, name: string, params: object): Promise<Record<string, unknown>> {
    const version = '2026-07-28';
    const _meta = {
      'io.modelcontextprotocol/protocolVersion': version,
      'io.modelcontextprotocol/clientCapabilities': {},
    };
    const response = await fetch(gateway.url, {
      method: 'POST',
      headers: {
        ...team.headers,
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        'mcp-protocol-version': version,
        'mcp-method': method,
        'mcp-name': name,
      },
      body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params: { ...params, _meta } }),
    });
    return (await response.json()) as Record<string, unknown>;
  }

  /** What is another one each time: ids and moments. */
  const still = (value: unknown): unknown =>
    JSON.parse(
      JSON.stringify(value)
        .replaceAll(/apr_[\w-]{22}/g, 'apr_')
        .replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, 'when')
        .replaceAll(/"expiresAt":\d+/g, '"expiresAt":0'),
    );

  const callOf = ({ about }: Block): [tool: string, args: object] => {
    const [tool = '', ...args] = about.split(' ');
    return [tool, JSON.parse(args.join(' '))];
  };

  const asked = (tool: string, args: object) => ask('tools/call', tool, { name: tool, arguments: args });

  it.each(ofKind('result'))('the result of line $line', async (block) => {
    const { resultType, ...result } = (await asked(...callOf(block))).result as Record<string, unknown>;
    expect(resultType).toBe('complete');
    expect(still(result)).toEqual(still(JSON.parse(block.text)));
  });

  it.each(ofKind('error'))('the error of line $line', async (block) => {
    expect((await asked(...callOf(block))).error).toEqual(JSON.parse(block.text));
  });

  const explain = (request: Omit<ExplainRequest, 'grant'>) => gateway.gateway.explain({ ...request, grant: 'team' });

  it.each(blocks.filter(({ kind }) => kind === 'explain'))('the explanation of line $line', async (block) => {
    const [name, args] = callOf(block);
    const out = createOutput(testIo(), false);
    const lines = explanationLines(await explain({ kind: 'tool', name, args: args as JsonObject }), out);
    expect(`${lines.join('\n')}\n`).toBe(block.text);
  });

  it.each(ofKind('cases'))('the cases of line $line', async ({ text }) => {
    const { cases } = await readCases(write('policies/team.cases.json', text), folder);
    for (const { kind, of, args, times, expect: effect, rule, listed, grant: who } of cases) {
      expect(who).toBe('team');
      const explained = await explain({ kind, name: of, args, times });
      expect([of, explained.verdict.effect]).toEqual([of, effect]);
      if (rule !== undefined) expect(explained.verdict.rule).toBe(rule);
      if (listed !== undefined) expect(explained.listed).toBe(listed);
    }
  });

  it('lists what is listed, and nothing hidden', async () => {
    const { tools } = (await ask('tools/list', '', {})).result as { tools: { name: string }[] };
    const { tools: rules } = named('policies/team.json') as { tools: object };
    expect(tools.map(({ name }) => name).sort()).toEqual(Object.keys(rules).sort());
  });

  it('the approval and the line of the audit have the members that are shown', async () => {
    const { _meta } = (await asked('everything__get-tiny-image', {})).result as { _meta: Record<string, unknown> };
    const { approvalId } = _meta['switchboard/denial'] as { approvalId: string };
    const response = await fetch(gateway.at(`/admin/approvals/${approvalId}/deny`), {
      method: 'POST',
      headers: {
        authorization: `Bearer ${readState(gateway, 'admin-token').trim()}`,
        'content-type': 'application/json',
      },
      body: '{"by":"ada","note":"not now"}',
    });
    const { approval } = (await response.json()) as { approval: Record<string, unknown> };
    const shown = only('approval').approval as Record<string, unknown>;
    expect(Object.keys(approval)).toEqual(Object.keys(shown));
    const { id: _, createdAt: __, expiresAt: ___, decidedAt: ____, ...same } = shown;
    expect(approval).toMatchObject(same);

    await asked('everything__get-sum', { a: -1, b: 2 });
    const file = join(gateway.folder, 'state/audit.jsonl');
    const lines = () => (existsSync(file) ? readFileSync(file, 'utf8').split('\n') : []);
    const line = await until(
      () => lines().find((each) => each.includes('args.a-gte')),
      'the denial to be in the audit',
    );
    const { session: _session, ...audit } = only('audit');
    const written = JSON.parse(line) as Record<string, unknown>;
    // The session is a legacy client's.
    expect(Object.keys(written)).toEqual(Object.keys(audit));
    const { time, requestId, era, durationMs, argHash, ...rest } = audit;
    expect(written).toMatchObject(rest);
    for (const [key, value] of Object.entries({ time, requestId, era, durationMs, argHash }))
      expect(typeof written[key], key).toBe(typeof value);
    // The holder of the admin token has no name.
    const { person: _person, ...operation } = only('operation');
    const done = JSON.parse(lines().find((each) => each.includes(approvalId)) ?? '{}') as Record<string, unknown>;
    expect(Object.keys(done)).toEqual(Object.keys(operation));
    expect(done).toMatchObject({ operator: 'admin', action: 'approvals/:id/deny', target: approvalId, outcome: 'ok' });
  });
});
