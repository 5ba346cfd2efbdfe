/**
 * A process of its own that uses a state folder: `<folder> count <max>` reserves until it is refused and prints how often
 * it was granted; `<folder> take <key>` takes a key and prints the value; `<folder> hold` keeps the state locked.
 * @module
 */
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { openSqliteState } from '../sqlite/sqlite-state.ts';
import { recorder, use } from './uses.ts';

const [folder = '', what, argument] = process.argv.slice(2);

if (what === 'hold') {
  for (const name of ['state.db', 'shared.db', 'counting.lock']) {
    new DatabaseSync(join(folder, name)).exec('BEGIN EXCLUSIVE');
  }
  process.stdout.write('held\n');
  setInterval(() => {}, 60_000);
} else {
  const state = openSqliteState(folder, { log: recorder() });
  process.stdout.write('open\n');
  // Until every process is there.
  await new Promise((resolve) => process.stdin.once('data', resolve));
  if (what === 'take') {
    process.stdout.write(`${JSON.stringify((await state.kv.take('n', String(argument))) ?? null)}\n`);
  } else {
    let granted = 0;
    while ((await state.counters.reserve([use({ max: Number(argument) })], 0)).granted) granted++;
    process.stdout.write(`${granted}\n`);
  }
  await state.close();
  process.exit();
}
