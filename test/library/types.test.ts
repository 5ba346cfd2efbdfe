/** The published types: built, then used by a program as one that installed the package would be compiled. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import ts from 'typescript';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const ROOT = join(import.meta.dirname, '../..');

/** A folder whose `node_modules` has the package as it is published, its dependencies and nothing else of ours. */
let folder: string;
let dist: string;

const tsc = (...args: string[]): string => {
  const { stdout, status } = spawnSync(process.execPath, [join(ROOT, 'node_modules/typescript/bin/tsc'), ...args], {
    cwd: ROOT,
    encoding: 'utf8',
  });
  return status === 0 ? '' : stdout;
};

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'switchboard-types-'));
  const installed = join(folder, 'node_modules/agent-switchboard');
  dist = join(installed, 'dist');
  mkdirSync(installed, { recursive: true });
  writeFileSync(join(installed, 'package.json'), readFileSync(join(ROOT, 'package.json')));
  expect(tsc('-p', 'tsconfig.build.json', '--outDir', dist)).toBe('');
  for (const name of ['@types', 'undici-types', 'zod', 'pino', 'pino-std-serializers', 'sonic-boom', 'thread-stream']) {
    symlinkSync(join(ROOT, 'node_modules', name), join(folder, 'node_modules', name));
  }
}, 180_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('the types of the package', () => {
  it('compile in a strict program that uses every part', () => {
    const consumer = readFileSync(join(import.meta.dirname, 'consumer.ts'), 'utf8');
    writeFileSync(join(folder, 'consumer.ts'), consumer.replaceAll("'../../src/index.ts'", "'agent-switchboard'"));
    writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
    const compilerOptions = {
      ...{ target: 'es2024', lib: ['es2024'], module: 'nodenext', types: ['node'] },
      ...{ strict: true, exactOptionalPropertyTypes: true, noUncheckedIndexedAccess: true, skipLibCheck: false },
      noEmit: true,
    };
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['consumer.ts'] }));
    expect(tsc('-p', folder)).toBe('');
  }, 120_000);

  it.each(['src/index.d.ts', 'src/adapter.d.ts'])('%s exports every type it mentions, and none is any', (entry) => {
    expect(mentions(join(dist, entry))).toEqual({ missing: [], any: [] });
  });
});

/** Types of ours that exported declarations mention and the entry does not export, and where `any` stands. */
function mentions(entry: string): { missing: string[]; any: string[] } {
  const options = { module: ts.ModuleKind.NodeNext, target: ts.ScriptTarget.ES2022, types: ['node'] };
  const program = ts.createProgram([entry], { ...options, typeRoots: [join(ROOT, 'node_modules/@types')] });
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
