import { afterEach, expect, it } from 'vitest';
import { type Policed, policed, policyConfig, tool } from './testing/policed.ts';

let made: Policed | undefined;
afterEach(async () => {
  await made?.close();
  made = undefined;
});

it('the gate answers for a hidden method as for an unknown one, under the name the client used', async () => {
  const { defaultPolicy } = policyConfig();
  made = await policed(
    { one: { tools: [tool('a')] } },
    policyConfig({ gateway: { ...defaultPolicy, id: 'gateway', default: 'allow', hide: ['one__x/secret'] } }),
  );
  const { request } = made;
  expect(await request('local', 'modern', 'x/other', {}, 'one')).toBeDefined();
  const codeAndText = async (server: string | undefined) =>
    request('local', 'modern', 'x/secret', {}, server).catch(({ code, message }) => ({ code, message }));
  expect(await codeAndText('one')).toEqual({ code: 'SWB_METHOD_NOT_FOUND', message: "Method not found: 'x/secret'." });
  expect(await codeAndText('one')).toEqual(await codeAndText(undefined));
});
