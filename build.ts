/**
 * The modules of the published package: `npm run build`, which then has the compiler write their types.
 *
 * The gateway's own modules are put together in few files, which are found and loaded in less time than the many, and with them
 * zod without its translations. All other packages stay what they are, installed beside this one. One build makes the
 * command and what programs import, so that a hook that imports `agent-switchboard` has the modules of the gateway it runs in.
 * @module
 */
import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { isAbsolute, join, relative } from 'node:path';
import { rolldown } from 'rolldown';

const ROOT = import.meta.dirname;

/** Modules that keep their names: what `package.json` and `bin/switchboard.js` name. */
const ENTRIES = ['src/cli/main', 'src/index', 'src/adapter'];
/** Where all others are put; what stands beside its module in the sources stands beside them. */
const MODULES = 'src/modules';
/** Packages that are put in. Of each, the notice says whose it is. */
const INCLUDED = ['zod'];

/** Writes every module that the package has into `dist`, which is emptied first, and the files they read. */
export async function build(dist: string): Promise<void> {
  rmSync(dist, { recursive: true, force: true });
  const bundle = await rolldown({
    cwd: ROOT,
    input: Object.fromEntries(ENTRIES.map((name) => [name, join(ROOT, `${name}.ts`)])),
    platform: 'node',
    // Of the gateway's own modules it is asked for the specifier, and again for the file.
    external: (name) => !name.startsWith('.') && !isAbsolute(name) && !INCLUDED.includes(packageOf(name)),
    onLog(_level, log) {
      throw new Error(`${log.code}: ${log.message}`);
    },
  });
  try {
    await bundle.write({
      dir: dist,
      format: 'esm',
      entryFileNames: '[name].js',
      chunkFileNames: ({ name, facadeModuleId }) => `${MODULES}/${nameOf(facadeModuleId) ?? name}.js`,
      // A single other character makes V8 keep the whole file in twice the memory.
      charset: 'ascii',
      comments: false,
    });
  } finally {
    await bundle.close();
  }
  cpSync(join(ROOT, 'src/endpoint/admin/pages'), join(dist, MODULES, 'pages'), { recursive: true });
  writeFileSync(join(dist, 'THIRD-PARTY-NOTICES'), INCLUDED.map(noticeOf).join('\n\n'));
}

/** After the module that the file begins with: frames of a stack say where to look. */
function nameOf(module: string | null): string | undefined {
  const path = module === null ? '..' : relative(ROOT, module).replaceAll('\\', '/');
  return path.startsWith('..') ? undefined : path.replace(/^src\/|\.ts$/g, '').replaceAll('/', '-');
}

const packageOf = (specifier: string): string =>
  specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');

function noticeOf(name: string): string {
  const folder = join(ROOT, 'node_modules', name);
  const { version, license } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Record<string, string>;
  return `${name} ${version} (${license})\n\n${readFileSync(join(folder, 'LICENSE'), 'utf8')}`;
}

if (import.meta.main) await build(join(ROOT, 'dist'));
