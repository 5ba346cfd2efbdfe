import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { exposeUri, splitUri, uriLabel } from './uris.ts';

const server = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._-]{0,20}$/);
const uri = fc.oneof(
  fc.webUrl(),
  fc.stringMatching(/^(ui|UI|file|demo\+x):\/\/[a-z+@]{0,6}\/[a-z+{}]{0,8}$/),
  fc.string(),
);

describe('exposed URIs', () => {
  it('begin with the server', () => {
    expect(exposeUri('files', 'file:///tmp/a')).toBe('files+file:///tmp/a');
    expect(exposeUri('files', 'demo://x/{id}')).toBe('files+demo://x/{id}');
  });

  it('keep the ui scheme and put the server into the authority', () => {
    expect(exposeUri('shop', 'ui://cart/view.html')).toBe('ui://shop+cart/view.html');
    expect(splitUri('ui://shop+cart/view.html')).toEqual({ label: 'shop', original: 'ui://cart/view.html' });
  });

  it('can be taken apart again, whatever server and original', () => {
    fc.assert(
      fc.property(server, uri, (name, original) => {
        const label = uriLabel(name);
        expect(splitUri(exposeUri(label, original))).toEqual({ label, original });
      }),
    );
  });

  it('have a scheme that RFC 3986 allows and URL parsers accept', () => {
    fc.assert(
      fc.property(server, (name) => {
        const exposed = exposeUri(uriLabel(name), 'file:///a');
        expect(exposed).toMatch(/^[A-Za-z][A-Za-z0-9+.-]*:/);
        expect(URL.canParse(exposed)).toBe(true);
      }),
    );
    expect(URL.canParse(exposeUri(uriLabel('my_server'), 'ui://host/x'))).toBe(true);
  });

  it('differ for servers whose names are respelled alike', () => {
    expect(uriLabel('my-server')).toBe('my-server');
    expect(uriLabel('my_server')).toMatch(/^my-server-[a-z2-7]{8}$/);
    expect(uriLabel('1up')).toMatch(/^s-1up-[a-z2-7]{8}$/);
  });

  it('are not split from URIs without a label', () => {
    for (const plain of ['file:///a', 'ui://host/a', '+x', 'ui://+x', '']) expect(splitUri(plain)).toBeUndefined();
  });
});
