import { describe, expect, it } from 'vitest';
import type { SwitchboardError } from '../../core/errors.ts';
import type { Resolve } from './network-guard.ts';
import { answers, guardFor, lookup, refusedFor, unasked } from './testing/guards.ts';

describe('check', () => {
  it('admits public addresses and names, at any port', async () => {
    const guard = guardFor(answers('93.184.216.34', '2606:2800:220:1::1'));
    for (const url of [
      'https://example.com/mcp',
      'http://example.com:8080/mcp?x=1',
      'https://EXAMPLE.com./',
      'https://under_score.example/',
      'https://bücher.example/',
      'http://93.184.216.34:22/',
      'http://[2606:2800:220:1::1]:4111/',
    ]) {
      expect(await refusedFor(url, guard), url).toBeUndefined();
    }
  });

  it.each([
    ['ftp://example.com/', 'scheme'],
    ['file:///etc/passwd', 'scheme'],
    ['data:text/plain,x', 'scheme'],
    ['ws://example.com/', 'scheme'],
    ['https://user@example.com/', 'credentials'],
    ['https://:secret@example.com/', 'credentials'],
    ['https://example.com@127.0.0.1/', 'credentials'],
    ['http://a..example/', 'host'],
    ['http://.example/', 'host'],
    ['http://localhost../', 'host'],
    ['http://127.0.0.1../', 'host'],
    ['http://a$b.example/', 'host'],
    ['http://a,b/', 'host'],
    ['http://*/', 'host'],
    ["http://a'b/", 'host'],
    [`http://${'a'.repeat(64)}.example/`, 'host'],
    ['http://metadata.google.internal/', 'forbidden'],
    ['http://METADATA.google.internal./computeMetadata/v1/', 'forbidden'],
    ['http://x.metadata.google.internal/', 'forbidden'],
  ])('refuses %s (%s)', async (url, reason) => {
    expect(await refusedFor(url, guardFor(answers('93.184.216.34')))).toBe(reason);
  });

  it('refuses a name when any one of its addresses is refused', async () => {
    expect(await refusedFor('http://a.example', guardFor(answers('93.184.216.34', '10.0.0.1')))).toBe('private');
    expect(await refusedFor('http://a.example', guardFor(answers('93.184.216.34', '::1')))).toBe('private');
    expect(await refusedFor('http://a.example', guardFor(answers('10.0.0.1', '169.254.169.254'), ['*']))).toBe(
      'forbidden',
    );
    expect(await refusedFor('http://a.example', guardFor(answers('93.184.216.34', 'fe80::1%eth0')))).toBe('forbidden');
    expect(await refusedFor('http://a.example', guardFor(answers('not an address')))).toBe('forbidden');
  });

  it('refuses a name that cannot be resolved', async () => {
    expect(await refusedFor('http://a.example', guardFor(answers()))).toBe('unresolved');
    const failing: Resolve = () => Promise.reject(Object.assign(new Error('ENOTFOUND'), { code: 'ENOTFOUND' }));
    expect(await refusedFor('http://a.example', guardFor(failing))).toBe('unresolved');
    expect(
      await refusedFor(
        'http://a.example',
        guardFor(() => new Promise(() => {})),
      ),
    ).toBe('unresolved');
  });

  it('connects to private and loopback addresses only where the operator listed the host', async () => {
    const resolve = answers('10.1.2.3');
    expect(await refusedFor('http://mastra.internal:4111', guardFor(resolve))).toBe('private');
    expect(
      await refusedFor('http://mastra.internal:4111', guardFor(resolve, ['mastra.internal:4111'])),
    ).toBeUndefined();
    expect(await refusedFor('http://mastra.internal:4112', guardFor(resolve, ['mastra.internal:4111']))).toBe(
      'private',
    );
    expect(await refusedFor('http://other.internal:4111', guardFor(resolve, ['mastra.internal:4111']))).toBe('private');
    expect(await refusedFor('http://other.internal', guardFor(resolve, ['*']))).toBeUndefined();
    expect(await refusedFor('http://127.0.0.1:4111', guardFor(unasked, ['localhost']))).toBeUndefined();
    expect(await refusedFor('http://[::1]/', guardFor(unasked, ['localhost']))).toBeUndefined();
    expect(await refusedFor('https://secure.internal', guardFor(resolve, ['secure.internal:443']))).toBeUndefined();
    expect(await refusedFor('http://secure.internal', guardFor(resolve, ['secure.internal:443']))).toBe('private');
  });

  it('treats localhost as loopback independently of the resolver', async () => {
    for (const host of ['localhost', 'LOCALHOST.', 'api.localhost', '%6cocalhost', 'ⓛocalhost']) {
      expect(await refusedFor(`http://${host}/`, guardFor(answers('93.184.216.34'))), host).toBe('private');
    }
    await expect(lookup(guardFor(answers('93.184.216.34')), 'localhost', {})).rejects.toMatchObject({
      data: { reason: 'private' },
    });
  });

  it('gives the reason in general terms, without the addresses', async () => {
    const error = await guardFor(answers('10.11.12.13'))
      .check(new URL('http://internal.example/'))
      .catch((thrown: unknown) => thrown as SwitchboardError);
    const said = JSON.stringify([(error as SwitchboardError).message, (error as SwitchboardError).data]);
    expect(said).toContain('allowPrivate');
    expect(said).not.toMatch(/10\.11|internal\.example/);
  });

  it('resolves and checks again every time', async () => {
    let turn = 0;
    const guard = guardFor(async () => [{ address: turn++ === 0 ? '93.184.216.34' : '127.0.0.1', family: 4 }]);
    expect(await refusedFor('http://rebind.example', guard)).toBeUndefined();
    expect(await refusedFor('http://rebind.example', guard)).toBe('private');
    await expect(lookup(guard, 'rebind.example', {})).rejects.toMatchObject({ code: 'SWB_URL_REFUSED' });
  });
});

describe('lookup', () => {
  it('answers only with the addresses that were checked, and does not ask DNS again', async () => {
    let asked = 0;
    const guard = guardFor(async () => {
      asked++;
      return [
        { address: asked === 1 ? '93.184.216.34' : '127.0.0.1', family: 4 },
        { address: '2606:2800:220:1::1', family: 6 },
      ];
    });
    await guard.check(new URL('http://Example.com.:8080/'));
    expect(await lookup(guard, 'example.com', { all: true })).toEqual([
      { address: '93.184.216.34', family: 4 },
      { address: '2606:2800:220:1::1', family: 6 },
    ]);
    expect(await lookup(guard, 'EXAMPLE.com.', {})).toEqual({ address: '93.184.216.34', family: 4 });
    expect(await lookup(guard, 'example.com', { family: 6 })).toEqual({ address: '2606:2800:220:1::1', family: 6 });
    expect(await lookup(guard, 'example.com', { family: 'IPv4', all: true })).toEqual([
      { address: '93.184.216.34', family: 4 },
    ]);
    expect(asked).toBe(1);
  });

  it('checks a name that was never checked before', async () => {
    await expect(lookup(guardFor(answers('10.0.0.1')), 'a.example', { all: true })).rejects.toMatchObject({
      code: 'SWB_URL_REFUSED',
    });
    await expect(lookup(guardFor(answers('10.0.0.1'), ['a.example:80']), 'a.example', {})).rejects.toMatchObject({
      code: 'SWB_URL_REFUSED',
    });
    await expect(lookup(guardFor(), '127.0.0.1', {})).rejects.toMatchObject({ code: 'SWB_URL_REFUSED' });
    await expect(lookup(guardFor(answers('93.184.216.34')), 'bad host', {})).rejects.toMatchObject({
      code: 'SWB_URL_REFUSED',
    });
    expect(await lookup(guardFor(answers('93.184.216.34')), 'a.example', {})).toMatchObject({ family: 4 });
  });

  it('fails when no checked address has the requested family', async () => {
    await expect(lookup(guardFor(answers('93.184.216.34')), 'a.example', { family: 6 })).rejects.toMatchObject({
      data: { reason: 'unresolved' },
    });
  });

  it('forgets the oldest name when there are too many', async () => {
    let asked = 0;
    const guard = guardFor(async () => {
      asked++;
      return [{ address: '93.184.216.34', family: 4 }];
    });
    for (let i = 0; i < 40; i++) await guard.check(new URL(`http://n${i}.example`));
    asked = 0;
    await lookup(guard, 'n39.example', {});
    expect(asked).toBe(0);
    await lookup(guard, 'n0.example', {});
    expect(asked).toBe(1);
  });
});
