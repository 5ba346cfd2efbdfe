/**
 * The files of the pages: modules in TypeScript as they stand in `pages/`, whose types are taken out when they are first read, in the
 * package too; the style; and the libraries from their packages. Nothing is bundled.
 * @module
 */
import { readdirSync, readFileSync } from 'node:fs';
import { findPackageJSON, stripTypeScriptTypes } from 'node:module';
import { dirname, join } from 'node:path';
import { sha256 } from '../../core/hash.ts';

export interface Asset {
  readonly type: string;
  readonly body: Buffer;
  readonly etag: string;
}

/** What pages import by name: the file that is served, its package, the file in it, and where the package is looked for. */
const LIBRARIES: readonly (readonly [specifier: string, served: string, file: string, from?: string])[] = [
  ['preact', 'preact.js', 'dist/preact.mjs'],
  ['preact/hooks', 'preact-hooks.js', 'hooks/dist/hooks.mjs'],
  ['htm', 'htm.js', 'dist/htm.module.js'],
  ['@preact/signals', 'signals.js', 'dist/signals.module.js'],
  ['@preact/signals-core', 'signals-core.js', 'dist/signals-core.module.js', '@preact/signals'],
];

const SERVED = new Map(LIBRARIES.map(([specifier, served]) => [specifier, served]));
const JAVASCRIPT = 'text/javascript; charset=utf-8';
const PAGES = join(import.meta.dirname, 'pages');

type Source = () => { type: string; text: string };

/** By the address below `assets/`. Read when they are first asked for, and kept. */
export class Assets {
  readonly #sources: ReadonlyMap<string, Source> = new Map([...libraries(), ...own()]);
  readonly #read = new Map<string, Asset>();

  /** Undefined: there is no such file. */
  get(path: string): Asset | undefined {
    const known = this.#read.get(path);
    if (known) return known;
    const source = this.#sources.get(path)?.();
    if (!source) return undefined;
    const body = Buffer.from(source.text);
    const asset = { type: source.type, body, etag: `"${sha256(source.text, 'base64url').slice(0, 22)}"` };
    this.#read.set(path, asset);
    return asset;
  }
}

function libraries(): [string, Source][] {
  return LIBRARIES.map(([specifier, served, file, from]) => {
    const source = (): { type: string; text: string } => {
      const name = specifier
        .split('/')
        .slice(0, specifier.startsWith('@') ? 2 : 1)
        .join('/');
      const base = from === undefined ? import.meta.url : join(packageOf(from, import.meta.url), 'package.json');
      const text = readFileSync(join(packageOf(name, base), file), 'utf8').replace(
        /\n\/\/# sourceMappingURL=.*\s*$/,
        '\n',
      );
      return { type: JAVASCRIPT, text: withAddresses(text, './') };
    };
    return [`lib/${served}`, source];
  });
}

function packageOf(name: string, base: string): string {
  const found = findPackageJSON(name, base);
  if (found === undefined) throw new Error(`the package ${name} is not installed`);
  return dirname(found);
}

/** Their own files: `pages/app.ts` is served as `pages/app.js`. */
function own(): [string, Source][] {
  return readdirSync(PAGES).flatMap((name): [string, Source][] => {
    const file = join(PAGES, name);
    if (name.endsWith('.css')) {
      return [[`pages/${name}`, () => ({ type: 'text/css; charset=utf-8', text: readFileSync(file, 'utf8') })]];
    }
    const module = /^([\w-]+)\.ts$/.exec(name)?.[1];
    if (module === undefined) return [];
    const source = (): { type: string; text: string } => {
      const text = readFileSync(file, 'utf8');
      return { type: JAVASCRIPT, text: withAddresses(withoutTypes(text), '../lib/') };
    };
    return [[`pages/${module}.js`, source]];
  });
}

/** Node says once per process that this is experimental; operators can do nothing about it. */
function withoutTypes(text: string): string {
  const { emitWarning } = process;
  process.emitWarning = () => {};
  try {
    return stripTypeScriptTypes(text);
  } finally {
    process.emitWarning = emitWarning;
  }
}

/** Browsers import addresses: names of packages become those of their files, and modules are served as JavaScript. */
function withAddresses(text: string, libraries: string): string {
  return text.replace(
    /(\bfrom\s*|\bimport\s*\(?\s*)(["'])([^"'\n]+)\2/g,
    (whole, keyword: string, quote: string, specifier: string) => {
      const served = SERVED.get(specifier);
      if (served !== undefined) return `${keyword}${quote}${libraries}${served}${quote}`;
      return /^\.\/[\w-]+\.ts$/.test(specifier) ? `${keyword}${quote}${specifier.replace(/ts$/, 'js')}${quote}` : whole;
    },
  );
}
