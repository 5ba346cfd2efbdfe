/**
 * The OAuth functions of the official SDK, loaded when the first server needs them: at start-up they cost nothing.
 * @module
 */
export type Sdk = typeof import('@modelcontextprotocol/client');

let loading: Promise<Sdk> | undefined;

export function sdk(): Promise<Sdk> {
  loading ??= import('@modelcontextprotocol/client');
  return loading;
}
