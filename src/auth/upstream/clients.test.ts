import { describe, expect, it } from 'vitest';
import { routeOf } from '../../endpoint/http/routes.ts';
import { clientMetadataDocument, clientMetadataUrl } from './clients.ts';

describe("the gateway's client id metadata document", () => {
  it('is there where the gateway has an https address, names itself, and has the one redirect address', () => {
    const url = clientMetadataUrl('https://gw.example');
    expect(clientMetadataDocument('https://gw.example')).toMatchObject({
      ...{ client_id: url, redirect_uris: ['https://gw.example/connect/callback'] },
      ...{ grant_types: ['authorization_code', 'refresh_token'], token_endpoint_auth_method: 'none' },
    });
    expect(routeOf(new URL(url as string).pathname)).toEqual({ to: 'client' });
  });

  it('is not there without one', () => {
    for (const base of [undefined, 'http://127.0.0.1:7300']) expect(clientMetadataDocument(base)).toBeUndefined();
  });
});
