/**
 * The modules of the published package, made without the compiler: Node takes the types out, which is quick. `test/library` has the compiler
 * write the declarations, and `.ci/run` builds, packs and starts what the compiler makes.
 * @module
 */
import { cpSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { dirname, join } from 'node:path';
import picomatch from 'picomatch';

const ROOT = join(import.meta.dirname, '../..');
const PAGES = 'src/endpoint/admin/pages';

/** Every module that the build has, under its name there. */
export function build(dist: string): void {
  const { include, exclude } = JSON.parse(readFileSync(join(ROOT, 'tsconfig.build.json'), 'utf8')) as {
    include: string[];
    exclude: string[];
  };
  const isLeftOut = picomatch(exclude.flatMap((glob) => [glob, `${glob}/**`]));
  for (const folder of include)
    for (const name of readdirSync(join(ROOT, folder), { recursive: true })) {
      const file = `${folder}/${String(name)}`;
      if (!file.endsWith('.ts') || isLeftOut(file)) continue;
      const target = join(dist, file.replace(/\.ts$/, '.js'));
      mkdirSync(dirname(target), { recursive: true });
      const code = stripTypeScriptTypes(readFileSync(join(ROOT, file), 'utf8'));
      writeFileSync(target, code.replaceAll(/(['"])(\.{1,2}\/[\w./-]+)\.ts\1/g, '$1$2.js$1'));
    }
  cpSync(join(ROOT, PAGES), join(dist, PAGES), { recursive: true });
}

/** Puts what the package declares to depend on, and nothing else, into a folder of modules. */
export function linkDependencies(modules: string): void {
  const { dependencies } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
    dependencies: Record<string, string>;
  };
  for (const name of Object.keys(dependencies)) {
    mkdirSync(dirname(join(modules, name)), { recursive: true });
    symlinkSync(join(ROOT, 'node_modules', name), join(modules, name));
  }
}
