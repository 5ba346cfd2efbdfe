/**
 * Measures what principals cost from whom nothing is kept, and that views go with their filters; run with `--expose-gc`.
 * @module
 */
import { MergedView } from '../views/merged-view.ts';
import { CatalogMember, SetFilter, viewOptions } from './catalog-views.ts';
import { tool } from './fakes.ts';

const { gc } = globalThis as { gc?: () => void };
if (!gc) throw new Error('run with --expose-gc');

const FILTERS = 1_000;

const member = new CatalogMember('a');
member.offer(
  'tools',
  Array.from({ length: 1_000 }, (_, i) => tool(`tool${i}`)),
);
const view = new MergedView(() => [member], viewOptions());
const base = view.page('tools', 'modern', undefined).result;

const settle = async (): Promise<void> => {
  for (let i = 0; i < 4; i++) {
    gc();
    await new Promise((resolve) => setImmediate(resolve));
  }
};

await settle();
const before = process.memoryUsage();
let filters: SetFilter[] = Array.from({ length: FILTERS }, () => new SetFilter());
const views = filters.map((filter) => view.restricted(filter));
const same = views.every((each) => each.page('tools', 'modern', undefined).result === base);
await settle();
const after = process.memoryUsage();
const heapBytes = after.heapUsed - before.heapUsed;
const bufferBytes = after.arrayBuffers - before.arrayBuffers;

// A list that was replaced is not kept by views that used it.
const old = new WeakRef(view.listing('tools'));
view.invalidate();
view.page('tools', 'modern', undefined);
await settle();
const oldListIsGone = old.deref() === undefined;

const gone = views.map((each) => new WeakRef(each));
// A view with listeners is collected once it has none.
views[0]?.onListChanged(() => {})();
views.length = 0;
// Nor does a filter that stays hold one that was put on top of it.
const staying = view.restricted(new SetFilter());
// In a function, whose variables are gone afterwards.
const putOnTop = (): void => {
  const on = staying.restricted(new SetFilter());
  on.page('tools', 'modern', undefined);
  gone.push(new WeakRef(on));
};
for (let i = 0; i < FILTERS; i++) putOnTop();
filters = [];
await settle();
const left = gone.filter((each) => each.deref() !== undefined).length;

process.stdout.write(
  JSON.stringify({
    filters: FILTERS,
    same,
    heapBytes,
    bufferBytes,
    oldListIsGone,
    left,
    kept: filters.length,
    staying: staying.id,
  }),
);
