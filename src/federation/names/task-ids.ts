/**
 * Exposed ids of tasks in the merged view: `<server>+<task id>`, with the server spelled as in URIs. The id names its
 * server, so that a task is found without remembering it: after a restart of the gateway, and in any of several.
 * @module
 */

/** `label`: the server's part, which holds no `+`. */
export const exposeTask = (label: string, original: string): string => `${label}+${original}`;

/** Takes an exposed id apart. Undefined when it has no `+` after a server's part. */
export function splitTask(exposed: string): { label: string; original: string } | undefined {
  const plus = exposed.indexOf('+');
  return plus <= 0 ? undefined : { label: exposed.slice(0, plus), original: exposed.slice(plus + 1) };
}
