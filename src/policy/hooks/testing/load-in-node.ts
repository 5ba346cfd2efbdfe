/**
 * Loads the modules it is given, each by itself, and prints what is wrong with them as JSON. Run as a child: the test runner
 * has a loader of its own, whose messages are not Node's.
 * @module
 */
import { loadHooks } from '../load.ts';
import { hookConfig } from './hooks.ts';

const problems: string[] = [];
for (const module of process.argv.slice(2)) {
  problems.push(
    await loadHooks([hookConfig({ source: { module } })]).then(
      () => 'loaded',
      (error: Error) => error.message.replaceAll(module, 'MODULE'),
    ),
  );
}
console.log(JSON.stringify(problems));
