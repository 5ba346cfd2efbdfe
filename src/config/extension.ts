/**
 * Keys of `servers.json` that a caller of `config` reads, such as policy. `config` knows their place and shows them to editors
 * and in messages; the extension reads their values.
 * @module
 */
import type { z } from 'zod';
import type { JsonObject } from '../wire/jsonrpc.ts';
import type { JsonPath } from './jsonc.ts';
import type { Findings } from './mistakes.ts';
import type { NamedFiles } from './read-file.ts';
import type { SectionReader } from './section.ts';
import type { GatewayConfig } from './types.ts';

/** `T` is what the extension makes of its keys. */
export interface ConfigExtension<T> {
  /** Its keys of the `gateway` section. */
  readonly gatewayShape: z.ZodRawShape;
  /** Its keys of a server's entry. */
  readonly serverShape: z.ZodRawShape;
  /** `meta` ids of its schemas in which no `${VAR}` is expanded. */
  verbatimIds(): readonly string[];
  /** Called once per load. */
  open(context: ExtensionContext): ExtensionReader<T>;
}

export interface ExtensionContext {
  /** Relative paths start here: the folder of the file, or where the command was started. */
  folder: string;
  /** Paths are shown relative to it. */
  cwd: string;
  files: NamedFiles;
  findings: Findings;
  sections: SectionReader;
}

export interface ExtensionReader<T> {
  /** Mistakes in files that the configuration names, one line each. */
  readonly lines: readonly string[];
  /** Whether its keys of the `gateway` section keep out clients without credentials. */
  authenticates(raw: JsonObject): boolean;
  /** Reads its keys of one server's entry. `path` is the entry's; a server that is `disabled` may name unset variables. */
  server(name: string, raw: JsonObject, path: JsonPath, disabled: boolean): Promise<void>;
  /** Reads its keys of the `gateway` section, after all servers. `gateway` is undefined where other keys have mistakes. */
  gateway(raw: JsonObject, gateway: GatewayConfig | undefined): Promise<T | undefined>;
}

/** The members of `raw` that belong to `shape`, and the others; what is no object has none. */
export function splitByShape(raw: unknown, shape: z.ZodRawShape): { rest: unknown; members: JsonObject } {
  if (typeof raw !== 'object' || raw === null || Array.isArray(raw)) return { rest: raw, members: {} };
  const entries = Object.entries(raw);
  const belongs = ([key]: [string, unknown]): boolean => Object.hasOwn(shape, key);
  return {
    rest: Object.fromEntries(entries.filter((entry) => !belongs(entry))),
    members: Object.fromEntries(entries.filter(belongs)),
  };
}
