/**
 * Finds values in arguments by path: `args.items.0.price`. Only own members and array items are found: `args.constructor`
 * finds no inherited member, and `args.list.length` no length.
 * @module
 */

export type Path = readonly string[];

/** The names after the first, which is `args` or `result`. */
export const parsePath = (path: string): Path => path.split('.').slice(1);

const INDEX = /^(?:0|[1-9]\d{0,14})$/;

export const isIndex = (name: string): boolean => INDEX.test(name);

/** Undefined, which is no JSON value, where the path leads nowhere. */
export function valueAt(root: unknown, path: Path): unknown {
  let value = root;
  for (const name of path) {
    if (typeof value !== 'object' || value === null) return undefined;
    if (Array.isArray(value) ? !isIndex(name) : !Object.hasOwn(value, name)) return undefined;
    value = (value as Record<string, unknown>)[name];
  }
  return value;
}
