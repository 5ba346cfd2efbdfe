/** Completing an argument names a prompt or a template and has none of its arguments: rules about those do not decide. */
import { afterEach, describe, expect, it } from 'vitest';
import { type DocumentPart, document, limit, predicate, when } from '../../policy/engine/testing/build.ts';
import type { Rule } from '../../policy/language/types.ts';
import { outcomeOf, type Policed, policed, policyConfig, tool } from './testing/policed.ts';

const TEMPLATE = 'file:///pub/{name}';
const SERVERS = {
  one: {
    tools: [tool('get')],
    prompts: [{ key: 'greet', value: { name: 'greet' } }],
    templates: [{ key: TEMPLATE, value: { uriTemplate: TEMPLATE, name: 'pub' } }],
  },
};
const ARGUMENT = { name: 'name', value: 'E' };
const REFS = {
  prompts: { key: 'one__greet', ref: { type: 'ref/prompt', name: 'one__greet' } },
  resources: { key: `one+${TEMPLATE}`, ref: { type: 'ref/resource', uri: `one+${TEMPLATE}` } },
} as const;

let gateway: Policed | undefined;
afterEach(async () => {
  await gateway?.close();
  gateway = undefined;
});

describe.each(['prompts', 'resources'] as const)('a completion of %s', (section) => {
  const { key, ref } = REFS[section];

  async function completing(part: DocumentPart): Promise<{ effect: string; code: string | null }> {
    gateway = await policed(SERVERS, policyConfig({ gateway: document({ id: 'gateway', default: 'allow', ...part }) }));
    return outcomeOf(gateway.request('local', 'modern', 'completion/complete', { ref, argument: ARGUMENT }));
  }

  it.each<[string, Partial<Rule>]>([
    ['require', { require: [predicate([when('args.name', 'eq', 'Eve')])] }],
    ['deny_if', { denyIf: [predicate([when('args.name', 'exists', false)])] }],
    ['approve', { approveIf: [predicate([])] }],
    ['action require_approval', { action: 'require_approval' }],
    ['limits', { limits: [limit({ counter: 'none', max: 0 })] }],
    ['limits by an argument', { limits: [limit({ counter: 'sum', max: 5, incrementFrom: 'args.amount' })] }],
  ])('is allowed by a rule with %s', async (_, part) => {
    expect(await completing({ default: 'deny', [section]: { [key]: part } })).toEqual({ effect: 'allow', code: null });
    expect(gateway?.reached.map(({ method }) => method)).toEqual(['completion/complete']);
  });

  it.each<[string, DocumentPart]>([
    ['what is denied by default', { default: 'deny', tools: { one__get: {} } }],
    ['what an action denies', { [section]: { [key]: { action: 'deny' } } }],
    ['what an empty deny_if denies', { [section]: { [key]: { denyIf: [predicate([])] } } }],
  ])('is refused for %s', async (_, part) => {
    expect(await completing(part)).toMatchObject({ effect: 'deny', code: 'SWB_DENIED' });
    expect(gateway?.reached).toEqual([]);
  });

  it('gets the same error for a hidden name as for an unknown one', async () => {
    expect(await completing({ hide: [key] })).toEqual({
      effect: 'deny',
      code: section === 'prompts' ? 'SWB_UNKNOWN_PROMPT' : 'SWB_UNKNOWN_RESOURCE',
    });
    const refusal = async (asked: object): Promise<string> => {
      const answer = gateway?.request('local', 'modern', 'completion/complete', { ref: asked, argument: ARGUMENT });
      return String(await answer?.catch((error: Error) => error.message));
    };
    const gone = section === 'prompts' ? { ...ref, name: 'one__gone' } : { ...ref, uri: 'three+file:///x' };
    const nameOf = (asked: object): string => Object.values(asked)[1];
    const reached = gateway?.reached.length;
    if (section === 'resources') {
      // A URI under the server's own label, which no list has: it does not reach the server either.
      const absent = { ...ref, uri: 'one+file:///elsewhere/x' };
      expect((await refusal(absent)).replace(absent.uri, 'X')).toBe((await refusal(ref)).replace(nameOf(ref), 'X'));
      expect(gateway?.reached.length).toBe(reached);
    }
    expect((await refusal(ref)).replace(nameOf(ref), 'X')).toBe((await refusal(gone)).replace(nameOf(gone), 'X'));
  });
});
