/** The published types: built, then used by a program as one that installed the package would be compiled. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import ts from 'typescript';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const ROOT = join(import.meta.dirname, '../..');

/** A folder whose `node_modules` has the package as it is published, its dependencies and nothing else of ours. */
let folder: string;
let dist: string;
/** The program that embeds the gateway, with all that it takes from the package: the compiler reads every declaration once. */
let program: ts.Program;

const ENTRIES = ['src/index.d.ts', 'src/adapter.d.ts'];

const shown = (diagnostics: readonly ts.Diagnostic[]): string =>
  ts.formatDiagnostics(diagnostics, {
    getCanonicalFileName: (name) => name,
    getCurrentDirectory: () => folder,
    getNewLine: () => '\n',
  });

/** Writes the declarations of the build. What they are made of is checked by `npm run types`, which takes three times as long. */
function writeDeclarations(): void {
  const { fileNames, options, errors } = ts.parseJsonConfigFileContent(
    ts.readConfigFile(join(ROOT, 'tsconfig.build.json'), ts.sys.readFile).config,
    ts.sys,
    ROOT,
    { outDir: dist, noCheck: true, emitDeclarationOnly: true },
    join(ROOT, 'tsconfig.build.json'),
  );
  const build = ts.createProgram(fileNames, options);
  const { diagnostics } = build.emit();
  expect(shown([...errors, ...build.getOptionsDiagnostics(), ...diagnostics])).toBe('');
}

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'switchboard-types-'));
  const installed = join(folder, 'node_modules/agent-switchboard');
  dist = join(installed, 'dist');
  mkdirSync(installed, { recursive: true });
  writeFileSync(join(installed, 'package.json'), readFileSync(join(ROOT, 'package.json')));
  writeDeclarations();
  for (const name of ['@types', 'undici-types', 'zod', 'pino', 'pino-std-serializers', 'sonic-boom', 'thread-stream']) {
    symlinkSync(join(ROOT, 'node_modules', name), join(folder, 'node_modules', name));
  }
  const consumer = readFileSync(join(import.meta.dirname, 'consumer.ts'), 'utf8');
  writeFileSync(join(folder, 'consumer.ts'), consumer.replaceAll("'../../src/index.ts'", "'agent-switchboard'"));
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
  program = ts.createProgram([join(folder, 'consumer.ts'), ...ENTRIES.map((entry) => join(dist, entry))], {
    ...{ target: ts.ScriptTarget.ES2024, lib: ['lib.es2024.d.ts'], module: ts.ModuleKind.NodeNext, types: ['node'] },
    ...{ strict: true, exactOptionalPropertyTypes: true, noUncheckedIndexedAccess: true, skipLibCheck: false },
    ...{ noEmit: true, typeRoots: [join(folder, 'node_modules/@types')] },
  });
}, 600_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('the types of the package', () => {
  it('compile in a strict program that uses every part', () => {
    expect(shown(ts.getPreEmitDiagnostics(program))).toBe('');
  }, 600_000);

  it.each(ENTRIES)('%s exports every type it mentions, and none is any', (entry) => {
    expect(mentions(join(dist, entry))).toEqual({ missing: [], any: [] });
  });
});

/** Types of ours that exported declarations mention and the entry does not export, and where `any` stands. */
function mentions(entry: string): { missing: string[]; any: string[] } {
  const checker = program.getTypeChecker();
  const source = program.getSourceFile(entry);
  const module = source && checker.getSymbolAtLocation(source);
  if (!module) throw new Error(`${entry} is no module`);
  const resolved = (symbol: ts.Symbol): ts.Symbol =>
    symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;
  const exported = new Set(checker.getExportsOfModule(module).map(resolved));
  const missing = new Set<string>();
  const any = new Set<string>();
  const where = (node: ts.Node): string => relative(dist, node.getSourceFile().fileName);

  const visit = (node: ts.Node): void => {
    if (node.kind === ts.SyntaxKind.AnyKeyword) any.add(`${where(node)}: ${node.parent.getText().slice(0, 80)}`);
    if (ts.isClassElement(node) && node.name && ts.isPrivateIdentifier(node.name)) return;
    if (ts.isTypeReferenceNode(node)) check(node.typeName);
    if (ts.isExpressionWithTypeArguments(node)) check(node.expression);
    ts.forEachChild(node, visit);
  };
  const check = (name: ts.Node): void => {
    const found = checker.getSymbolAtLocation(name);
    const symbol = found && resolved(found);
    const declaration = symbol?.declarations?.[0];
    if (!symbol || !declaration || ts.isTypeParameterDeclaration(declaration)) return;
    const isOurs = !relative(dist, dirname(declaration.getSourceFile().fileName)).startsWith('..');
    if (isOurs && !exported.has(symbol)) missing.add(`${symbol.name} (${where(declaration)})`);
  };
  for (const symbol of exported) for (const declaration of symbol.declarations ?? []) visit(declaration);
  return { missing: [...missing].sort(), any: [...any].sort() };
}
