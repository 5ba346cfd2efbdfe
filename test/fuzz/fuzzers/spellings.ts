/**
 * Fuzzer of the normal forms of URIs, names and hosts: what the URL Standard, the file system or a Unicode library reads
 * alike has one normal form, and a document that hides one spelling hides them all.
 * @module
 */
import assert from 'node:assert/strict';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { globMatcher } from '../../../src/core/globs.ts';
import { document, setOf, subject } from '../../../src/policy/engine/testing/build.ts';
import { normalHost } from '../../../src/policy/language/hosts.ts';
import { normalName, normalNameGlob } from '../../../src/policy/language/names.ts';
import { normalUri, normalUriGlobs } from '../../../src/policy/language/uris.ts';
import type { Fuzzer, Input } from '../fuzzer.ts';

const PARTS = [
  ...[
    'file:',
    'FILE://',
    'http://',
    'HTTPS://',
    'demo://',
    'git+ssh://',
    'ssh://',
    'ui://',
    '://',
    'localhost',
    'host.example',
  ],
  ...[
    '0x7f.1',
    '127.0.0.1',
    '[::1]',
    '[::ffff:127.0.0.1]',
    'bücher.example',
    'bu\u0308cher.example',
    'xn--bcher-kva.example',
  ],
  ...[
    ':80',
    ':443',
    ':22',
    ':',
    'user@',
    ':@',
    '/',
    '//',
    '/.',
    '/..',
    '/%2e%2E',
    '\\',
    '%5C',
    '%2F',
    '%',
    '%4',
    '%41',
    '%zz',
  ],
  ...[
    'a',
    'B',
    'é',
    'e\u0301',
    '%C3%A9',
    'e%CC%81',
    '%c3',
    '%ff',
    ' ',
    '\t',
    '\n',
    '\0',
    '\u200b',
    '\u202e',
    '\ud800',
    '\ufeff',
  ],
  ...[
    '?',
    '#',
    '?x=1',
    '#f',
    '&',
    '+',
    '{id}',
    '{?q}',
    '*',
    '[a]',
    '!',
    '(',
    '|',
    '"',
    ';',
    '=',
    '~',
    '.',
    '..',
    '%7E',
    '%20',
  ],
];

const text = fc.oneof(
  fc.array(fc.constantFrom(...PARTS), { maxLength: 9 }).map((parts) => parts.join('')),
  fc
    .tuple(fc.constantFrom(...PARTS.slice(0, 8)), fc.array(fc.constantFrom(...PARTS), { maxLength: 8 }))
    .map(([scheme, parts]) => scheme + parts.join('')),
  fc.webUrl({ withFragments: true, withQueryParameters: true }),
  fc.string({ unit: 'binary', maxLength: 20 }),
);

/** Another spelling of a URI, which a server may or may not read alike: the checks find out. */
function respelled(uri: string, pick: number): string {
  const at = pick % (uri.length + 1);
  const sign = uri[at];
  switch (pick % 8) {
    case 0:
      return sign !== undefined && sign < '\x80'
        ? `${uri.slice(0, at)}%${sign.charCodeAt(0).toString(16).padStart(2, '0')}${uri.slice(at + 1)}`
        : uri;
    case 1:
      return uri.replace(/^[^:]*:/, (scheme) => scheme.toUpperCase());
    case 2:
      return `${uri.slice(0, at)}\t${uri.slice(at)}`;
    case 3:
      return uri.replace('/', '/./');
    case 4:
      return uri.replace('/', '/x/../');
    case 5:
      return URL.parse(uri)?.href ?? uri;
    case 6:
      return uri.normalize('NFD');
    default:
      return ` ${uri}`;
  }
}

const filePath = (uri: string): string | undefined => {
  try {
    return fileURLToPath(uri);
  } catch {
    return undefined;
  }
};

/** Escaped so that it matches itself alone. */
const literal = (name: string): string => name.replace(/[*?[\]{}()!\\|"]/g, '\\$&');

const hidden = (section: 'tools' | 'resources', key: string, name: string): boolean => {
  const set = setOf([document({ default: 'allow', hide: [key] })]);
  const usual = section === 'resources' ? subject(normalUri(name), { section, normal: true }) : undefined;
  return !set.planFor(subject(name, { section, ...(usual ? { usual } : {}) })).knows;
};

/** What is read alike has one normal form, and is hidden alike. */
function requireAlike(one: string, other: string, why: string): void {
  assert.equal(normalUri(one), normalUri(other), why);
  assert.ok(hidden('resources', one, other), `${why}: hidden by the other`);
  assert.ok(hidden('resources', other, one), `${why}: hidden by the one`);
}

function check({ text: uri, picks }: Input): string {
  const normal = normalUri(uri);
  assert.equal(normalUri(normal), normal, 'a normal form is its own');
  const name = normalName(uri);
  assert.equal(normalName(name), name, 'a normal name is its own');
  assert.ok(hidden('tools', uri, uri), 'a name is hidden by itself');
  const host = normalHost(uri);
  if (host !== undefined) assert.equal(normalHost(host), host, 'a normal host is its own');
  const globs = normalUriGlobs(literal(normal));
  assert.ok(
    globs.some((glob) => globMatcher(glob)(normal)),
    'a literal glob means its URI',
  );
  assert.equal(globMatcher(normalNameGlob(literal(uri)))(name), true, 'a literal glob means its name');

  const seen: string[] = [];
  let other = uri;
  for (const pick of picks) {
    other = respelled(other, pick);
    const [a, b] = [URL.parse(uri), URL.parse(other)];
    if (a && b && a.href === b.href) {
      requireAlike(uri, other, 'one URL');
      seen.push('url');
    }
    const [path, otherPath] = [filePath(uri), filePath(other)];
    if (path !== undefined && path === otherPath) {
      requireAlike(uri, other, 'one file');
      seen.push('file');
    }
    if (uri.normalize('NFC') === other.normalize('NFC')) {
      // Taken apart, a letter may become a digit of an escape.
      if (!uri.includes('%')) requireAlike(uri, other, 'one text');
      assert.equal(normalName(uri), normalName(other));
      assert.ok(hidden('tools', uri, other) && hidden('tools', other, uri));
      seen.push('text');
    }
  }
  const scheme = /^[a-z][a-z0-9+.-]*(?=:)/.exec(normal)?.[0] ?? 'none';
  const known = ['file', 'http', 'https', 'demo', 'ssh', 'git+ssh', 'ui', 'none'].includes(scheme) ? scheme : 'other';
  return `${known} ${URL.canParse(uri)} ${normal === uri} ${host === undefined} ${[...new Set(seen)].sort().join()}`;
}

export const spellings: Fuzzer = {
  name: 'spellings',
  fresh: fc.record({ text, picks: fc.array(fc.nat({ max: 4_096 }), { maxLength: 5 }) }),
  words: PARTS,
  behaviours: 20,
  check,
};
