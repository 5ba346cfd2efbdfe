import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { globMatcher } from '../../core/globs.ts';
import { cpuClock } from '../../core/testing/cpu.ts';
import { isReadTwoWays, normalUri, normalUriGlobs } from './uris.ts';

const matchesNormal = (glob: string, uri: string): boolean =>
  normalUriGlobs(glob).some((form) => globMatcher(form)(uri) === true);

const UNRESERVED = 'abcXYZ019-._~';
const segment = fc
  .string({ unit: fc.constantFrom(...UNRESERVED, 'é', '%2F', '%25', '$', ','), minLength: 1 })
  .filter((text) => !/^(?:\.|\.\.)$/.test(text));
const scheme = fc.constantFrom('file', 'demo', 'https', 'git+ssh');
const uri = fc
  .tuple(scheme, fc.array(segment, { minLength: 1, maxLength: 5 }))
  .map(([name, segments]) => `${name}://${name === 'file' ? '' : 'host.example'}/${segments.join('/')}`);

const escaped = (text: string, at: number): string => {
  const character = text[at] as string;
  return `${text.slice(0, at)}%${character.charCodeAt(0).toString(16)}${text.slice(at + 1)}`;
};

/** Another spelling of the same URI. */
type Change = (uri: string, pick: number) => string;
const pathStart = (text: string): number => text.indexOf('/', text.indexOf('://') + 3);
const inPath =
  (change: (path: string, pick: number) => string): Change =>
  (text, pick) => {
    const start = pathStart(text);
    return text.slice(0, start) + change(text.slice(start), pick);
  };
const slashes = (path: string): number[] => [...path.matchAll(/\//g)].map(({ index }) => index);
const atSlash = (inserted: string) =>
  inPath((path, pick) => {
    const all = slashes(path);
    const at = all[pick % all.length] as number;
    return path.slice(0, at) + inserted + path.slice(at);
  });

const CHANGES: Record<string, Change> = {
  'upper-case scheme': (text) => text.replace(/^[^:]+/, (name) => name.toUpperCase()),
  'upper-case host': (text) => text.replace('host.example', 'HOST.Example'),
  'escaped unreserved character': inPath((path, pick) => {
    const all = [...path.matchAll(/(?<!%|%[0-9A-Fa-f])[A-Za-z0-9._~-]/g)].map(({ index }) => index);
    return all.length === 0 ? path : escaped(path, all[pick % all.length] as number);
  }),
  'case of escapes': (text) => text.replace(/%[0-9A-F]{2}/g, (digits) => digits.toLowerCase()),
  'dot segment': atSlash('/.'),
  'folder and back': atSlash('/other/..'),
  'escaped folder and back': atSlash('/other/%2e%2E'),
  'empty segment': atSlash('/'),
  'letters outside ASCII': (text) => text.replaceAll('é', '%c3%A9'),
  'decomposed letters': (text) => text.replaceAll('é', 'e\u0301'),
  'escaped decomposed letters': (text) => text.replaceAll('é', 'e%CC%81'),
  'characters that are not seen': (text) => `${text}\u200b%E2%80%8D`,
  'dot of the root': (text) => text.replace('host.example', 'host.example.'),
  'empty user and port': (text) => text.replace('host.example', ':@host.example:'),
};

describe('the normal form of URIs', () => {
  it.each(Object.entries(CHANGES))('folds: %s', (_, change) => {
    fc.assert(
      fc.property(uri, fc.nat(), (text, pick) => {
        expect(normalUri(change(text, pick))).toBe(normalUri(text));
      }),
      { numRuns: 300 },
    );
  });

  it('is its own normal form, whatever the text', () => {
    const part = fc.constantFrom(
      ...['a', '%', '%2', '%41', '%2e', '/', '//', '..', '.', '?', '#', ':', '\\', '%5C', '%7C', 'C:', ' ', '\t', 'é'],
      ...[
        '%c3',
        '%a9',
        '@',
        '+',
        '{x}',
        '*',
        '\ud800',
        '\u0301',
        '\u200b',
        '%CC%81',
        ':80',
        ':022',
        'ssh://',
        '0x7f.1',
        'file:',
        'demo://',
        'HTTP://',
        '[',
        '%00',
        '\u0001',
      ],
    );
    fc.assert(
      fc.property(
        fc.oneof(
          fc.array(part).map((parts) => parts.join('')),
          fc.string(),
        ),
        (text) => {
          const normal = normalUri(text);
          expect(normalUri(normal)).toBe(normal);
        },
      ),
      { numRuns: 5_000 },
    );
  });

  it('keeps apart what servers tell apart', () => {
    for (const [one, other] of [
      ['demo://h/a%2Fb', 'demo://h/a/b'],
      ['demo://h/a%3Fb', 'demo://h/a?b'],
      ['demo://h/a%2525', 'demo://h/a%25'],
      ['demo://h/A', 'demo://h/a'],
      ['demo://h/a/', 'demo://h/a'],
      ['demo://h/a?x=1&y=2', 'demo://h/a?y=2&x=1'],
      ['demo://h/a?x=%26', 'demo://h/a?x=&'],
      ['demo://1/a', 'demo://0.0.0.1/a'],
      ['demo://h:80/a', 'demo://h/a'],
      ['ssh://h:23/a', 'ssh://h/a'],
      ['demo://u@h/a', 'demo://h/a'],
      ['git+ssh://h/a', 'git://h/a'],
    ] as const) {
      expect(normalUri(one), one).not.toBe(normalUri(other));
    }
  });

  it('has one spelling of hosts and ports where the authority is a host of the internet', () => {
    for (const [normal, ...others] of [
      [
        'ssh://127.0.0.1/a',
        'ssh://0x7f.1:22/a',
        'SSH://2130706433:022/a',
        'ssh://[::ffff:7f00:1]/a',
        'ssh://127.0.0.1./a',
      ],
      ['git+ssh://xn--bcher-kva.example/a', 'git+ssh://bücher.example/a', 'git+ssh://B%C3%9CCHER.example.:22/a'],
      ['https://xn--bcher-kva.example/a', 'https://bu\u0308cher.example:443/a', 'https://@xn--bcher-kva.example./a'],
      ['postgres://u@h/db', 'postgres://u:@H:5432/db', 'postgres://u@h.:5432/db'],
      ['demo://[::1]/a', 'demo://[0:0:0::0001]/a'],
      ['demo://h:8080/a', 'demo://H:08080/a'],
    ] as const) {
      expect(normalUri(normal)).toBe(normal);
      for (const other of others) expect(normalUri(other), other).toBe(normal);
    }
  });

  it('knows where dot segments lead to two places: by the URL Standard, and in a file system', () => {
    for (const uri of [
      'file:///docs//../secret',
      'demo://h/a//..',
      'file:///docs%2F..//../x',
      'file:\\\\docs\\\\a\\\\\\..\\x',
    ]) {
      expect(isReadTwoWays(uri), uri).toBe(true);
    }
    for (const uri of [
      'file:///docs/../secret',
      'file:////docs/x/../y',
      'demo://h//../a',
      'demo://h/a//b',
      'demo:a/..',
      'x',
      '..',
    ]) {
      expect(isReadTwoWays(uri), uri).toBe(false);
    }
    // The one that the URL Standard has is the normal form.
    expect(normalUri('demo://h/a//../b')).toBe('demo://h/a/b');
    expect(normalUri('demo://h/a/../..')).toBe('demo://h/');
  });

  it('folds control characters, and letters beside what is no UTF-8', () => {
    expect(normalUri('demo://h/a\u0000b')).toBe(normalUri('demo://h/a%00b'));
    expect(normalUri('demo://h/ü%c3')).toBe(normalUri('demo://h/u\u0308%C3'));
    expect(normalUri('demo://h/%C3%BC%ff%41')).toBe('demo://h/ü%FFA');
    expect(normalUri('demo://::::::::::@h/')).toBe('demo://::::::::::@h/');
    expect(normalUri('demo://a\\b@h/')).toBe(normalUri('demo://a%5Cb@h/'));
  });

  it('leaves out the query and fragment of files, which no file has', () => {
    expect(normalUri('file:///a.txt?x#y')).toBe('file:///a.txt');
    expect(normalUri('demo://h/a?x#y')).toBe('demo://h/a?x#y');
  });

  it('takes time in proportion to the length', () => {
    const cpu = cpuClock();
    for (const part of [' ', '%41', '/', '..%2f', '%', '\t', 'é', '../']) normalUri(`demo://h${part.repeat(300_000)}x`);
    expect(cpu()).toBeLessThan(5_000);
  });

  it('of a glob matches the normal forms of what it means', () => {
    for (const [glob, matching] of [
      ['file:///secret//*', 'file:///secret/a'],
      ['FILE:///a/./b*', 'file:///a/%62c'],
      ['demo://HOST/{a,b}/%73ee', 'demo://host/a/see'],
      ['demo://h/%5Bx%5D*', 'demo://h/[x]y'],
      ['demo://h/?.txt', 'demo://h/%61.txt'],
      ['demo://h/é*', 'demo://h/%C3%A9t%C3%A9'],
      ['demo://h/e\u0301*', 'demo://h/%C3%A9t%C3%A9'],
      ['https://bücher.example:443/*', 'https://xn--bcher-kva.example/a'],
      ['https://*.Example/*', 'https://a.example/b'],
      // A question mark is any character, or begins a query.
      ['demo://h/a?x=a//b*', 'demo://H/a?x=a//b1'],
      ['demo://h/a\\?x=a//b*', 'demo://H/a?x=a//b1'],
      ['demo://h//a?/*', 'demo://h/ab/c'],
      ['demo://h\\?x=//*', 'demo://H?x=//y'],
    ] as const) {
      expect(matchesNormal(glob, normalUri(matching)), glob).toBe(true);
    }
    expect(matchesNormal('!demo://h//a/*', normalUri('demo://h/a/b'))).toBe(false);
    expect(matchesNormal('demo://h/a%2A', normalUri('demo://h/ab'))).toBe(false);
    expect(matchesNormal('file:///a?.txt', normalUri('file:///a'))).toBe(false);
  });
});
