/**
 * The published types: built, then used by programs as one that installed the package would be compiled. The command `tsc` is that of
 * TypeScript 7, `@typescript/native`; questions about symbols go to the API of TypeScript 5, which 7 does not have.
 */
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { promisify } from 'node:util';
import ts from 'typescript';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeToy } from '../adapters/toy-project.ts';

const ROOT = join(import.meta.dirname, '../..');

/** A folder whose `node_modules` has the package as it is published, what its types need and nothing else of ours. */
let folder: string;
let dist: string;
/** The published modules alone, for questions about their symbols. */
let program: ts.Program;

const ENTRIES = ['src/index.d.ts', 'src/adapter.d.ts'];

/** Resolves with what the compiler finds wrong. */
async function compile(...words: string[]): Promise<string> {
  const tsc = join(ROOT, 'node_modules/.bin/tsc');
  const failed = ({ stdout, stderr, message }: Error & { stdout: string; stderr: string }) => ({
    stdout: stdout + stderr || message,
  });
  const { stdout } = await promisify(execFile)(process.execPath, [tsc, ...words], { cwd: folder }).catch(failed);
  return stdout;
}

/** Writes the declarations of the build. What they are made of is checked by `npm run types`. */
const writeDeclarations = (): Promise<string> =>
  compile('-p', join(ROOT, 'tsconfig.build.json'), '--outDir', dist, '--emitDeclarationOnly', '--noCheck');

/** The published modules without what they import from elsewhere: whose symbols are ours is seen without. */
function readDeclarations(): ts.Program {
  const options: ts.CompilerOptions = { module: ts.ModuleKind.NodeNext, noLib: true, types: [] };
  const host = ts.createCompilerHost(options);
  host.resolveModuleNameLiterals = (names, from, _reference, given) =>
    names.map(({ text }) =>
      text.startsWith('.') ? ts.resolveModuleName(text, from, given, host) : { resolvedModule: undefined },
    );
  return ts.createProgram({ rootNames: ENTRIES.map((entry) => join(dist, entry)), options, host });
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'switchboard-types-'));
  const installed = join(folder, 'node_modules/agent-switchboard');
  dist = join(installed, 'dist');
  mkdirSync(installed, { recursive: true });
  writeFileSync(join(installed, 'package.json'), readFileSync(join(ROOT, 'package.json')));
  expect(await writeDeclarations()).toBe('');
  for (const name of ['@types', 'undici-types', 'zod', 'pino', 'pino-std-serializers', 'sonic-boom', 'thread-stream']) {
    symlinkSync(join(ROOT, 'node_modules', name), join(folder, 'node_modules', name));
  }
  const consumer = readFileSync(join(import.meta.dirname, 'consumer.ts'), 'utf8');
  writeFileSync(join(folder, 'consumer.ts'), consumer.replaceAll("'../../src/index.ts'", "'agent-switchboard'"));
  writeToy(folder);
  const compilerOptions = {
    ...{ target: 'es2024', lib: ['es2024'], module: 'nodenext', types: ['node'], allowImportingTsExtensions: true },
    ...{ strict: true, exactOptionalPropertyTypes: true, noUncheckedIndexedAccess: true, skipLibCheck: false },
    ...{ noEmit: true, typeRoots: ['./node_modules/@types'] },
  };
  // Everything that the package publishes as well, used or not.
  const files = ENTRIES.map((entry) => relative(folder, join(dist, entry)));
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['*.ts'], files }));
  program = readDeclarations();
}, 600_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('the types of the package', () => {
  it('compile in a strict program that embeds the gateway and has an adapter with its tests', async () => {
    expect(await compile('-p', 'tsconfig.json')).toBe('');
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
  for (const symbol of exported) {
    // What another package declares is not read here.
    if (!symbol.declarations) missing.add(`${symbol.name} (of another package)`);
    for (const declaration of symbol.declarations ?? []) visit(declaration);
  }
  return { missing: [...missing].sort(), any: [...any].sort() };
}
