import { expect, test } from 'vitest';
import { gatewayAuthenticator } from '../../auth/authenticators.ts';
import { GrantKeys } from '../../auth/grant-keys.ts';
import { newKey } from '../../auth/key.ts';
import { LOCAL_IDENTITY } from '../../core/identity.ts';
import { gatewayConfig, silentLog, until } from '../testing/http.ts';
import { StubRelay, stubFederation } from '../testing/stub-relay.ts';
import { createHttpEndpoint } from './server.ts';

test('a caller on stdio is never ended for having no key, a local user over HTTP is once keys are asked for', async () => {
  const relay = new StubRelay();
  const grants = new GrantKeys({ grants: [{ name: 'alice', keys: [newKey().stored], expiresAt: undefined }] });
  const federation = stubFederation();
  const overHttp: boolean[] = [];
  const onStdio: boolean[] = [];
  relay.expel = (isValid) => {
    overHttp.push(!isValid({ ...LOCAL_IDENTITY }));
    onStdio.push(!isValid(LOCAL_IDENTITY));
  };
  const endpoint = createHttpEndpoint({
    relay,
    federation,
    config: gatewayConfig(),
    log: silentLog,
    auth: gatewayAuthenticator(undefined, grants),
    health: () => ({ ready: true, servers: {} }),
    timing: { keepAliveMs: 40 },
  });
  endpoint.revoke(() => false);
  await endpoint.listen();
  await until(() => overHttp.length > 1, 'a tick');
  expect([new Set(overHttp), new Set(onStdio)]).toEqual([new Set([true]), new Set([false])]);
  await endpoint.close();
});
