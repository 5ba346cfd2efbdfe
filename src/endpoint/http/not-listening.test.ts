import { expect, test } from 'vitest';
import { GrantKeys } from '../../policy/grants/grant-keys.ts';
import { newKey } from '../../policy/grants/key.ts';
import { gatewayConfig, silentLog, until } from '../testing/http.ts';
import { StubRelay, stubFederation } from '../testing/stub-relay.ts';
import { createHttpEndpoint } from './server.ts';

test('whoever calls on stdio is not shown out for having no key, as long as nobody can come in here', async () => {
  const relay = new StubRelay();
  const grants = new GrantKeys({ grants: [{ name: 'alice', keys: [newKey().stored], expiresAt: undefined }] });
  const federation = stubFederation();
  const expelled: boolean[] = [];
  relay.expel = (isValid) => void expelled.push(!isValid('local'));
  const endpoint = createHttpEndpoint({
    relay,
    federation,
    config: gatewayConfig(),
    log: silentLog,
    grants,
    health: () => ({ ready: true, servers: {} }),
    timing: { keepAliveMs: 40 },
  });
  endpoint.revoke(() => true);
  expect(expelled).toEqual([]);
  await endpoint.listen();
  // From now on every tick looks.
  await until(() => expelled.includes(true), 'a tick');
  await endpoint.close();
});
