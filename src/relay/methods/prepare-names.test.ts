import { expect, it } from 'vitest';
import type { CatalogKind } from '../../core/upstream.ts';
import type { View } from '../../federation/types.ts';
import type { JsonObject } from '../../wire/jsonrpc.ts';
import type { RequestContext } from '../request-context.ts';
import { fakeFederation, fakeServer } from '../testing/fakes.ts';
import { prepareNames } from './prepare-names.ts';

/** The kinds and names that a request has prepared. */
function prepared(method: string, params: JsonObject = {}): [CatalogKind, string | undefined][] {
  const found: [CatalogKind, string | undefined][] = [];
  const server = fakeServer('one', 'legacy', async () => ({ value: {} }));
  const view: View = {
    ...fakeFederation([server]).all,
    prepare(kind, name) {
      found.push([kind, name]);
      return undefined;
    },
  };
  const context = { view, fullView: view, request: { jsonrpc: '2.0', id: 1, method }, params };
  expect(prepareNames(context as unknown as RequestContext)).toBeUndefined();
  return found;
}

it.each<[string, JsonObject, [CatalogKind, string | undefined][]]>([
  ['tools/call', { name: 'one__a' }, [['tools', 'one__a']]],
  ['tools/call', { name: 'gone' }, []],
  ['prompts/get', { name: 'one__p' }, [['prompts', 'one__p']]],
  [
    'resources/read',
    { uri: 'one+x://y' },
    [
      ['resources', 'one+x://y'],
      ['templates', undefined],
    ],
  ],
  ['completion/complete', { ref: { type: 'ref/prompt', name: 'one__p' } }, [['prompts', 'one__p']]],
  ['tools/list', {}, [['tools', undefined]]],
  ['ping', {}, []],
])('%s with %j prepares no more than the names it needs', (method, params, expected) => {
  expect(prepared(method, params)).toEqual(expected);
});
