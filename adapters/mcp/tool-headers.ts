/**
 * `Mcp-Param-…` headers towards modern HTTP upstreams: which tools declare them, which tools may not be offered because
 * they declare them wrongly, and what a call carries.
 * Source: 2026-07-28 transports/streamable-http, "Custom Headers from Tool Parameters".
 * @module
 */

import type { Log } from '../../src/core/log.ts';
import type { Catalog } from '../../src/core/upstream.ts';
import type { JsonObject } from '../../src/wire/jsonrpc.ts';
import { buildParamHeaders, type ParamHeaders, readParamHeaders } from '../../src/wire/param-headers.ts';

/** A server whose tools all declare invalid headers must not fill the log. */
const MAX_WARNINGS = 100;

export class ToolHeaders {
  readonly #name: string;
  readonly #log: Log;
  readonly #warned = new Set<string>();
  /** Undefined until the tools have been listed once. */
  #declared: Map<string, ParamHeaders> | undefined;

  /** `name` is the server's, for messages. */
  constructor(name: string, log: Log) {
    this.#name = name;
    this.#log = log;
  }

  get known(): boolean {
    return this.#declared !== undefined;
  }

  /** Learns what the tools declare, and takes out those that declare it wrongly, which clients must not be offered. */
  learn(tools: Catalog): Catalog {
    const declared = new Map<string, ParamHeaders>();
    const checked = this.#check(tools, declared);
    this.#declared = declared;
    return checked;
  }

  /** As {@link learn}, for a list that only some clients get: what the other tools declare stays known. */
  learnMore(tools: Catalog): Catalog {
    this.#declared ??= new Map();
    return this.#check(tools, this.#declared);
  }

  #check(tools: Catalog, declared: Map<string, ParamHeaders>): Catalog {
    const entries = tools.entries.filter(({ key, value }) => {
      const headers = readParamHeaders(value.inputSchema);
      if (typeof headers === 'string') {
        this.#reject(key, headers);
        return false;
      }
      if (headers.length > 0) declared.set(key, headers);
      return true;
    });
    return { ...tools, entries };
  }

  /** The headers of a call, or `undefined` when it needs none. */
  of(params: JsonObject): Record<string, string> | undefined {
    const declared = this.#declared?.get(params.name as string);
    return declared && buildParamHeaders(declared, params.arguments);
  }

  #reject(tool: string, reason: string): void {
    if (this.#warned.has(tool) || this.#warned.size >= MAX_WARNINGS) return;
    this.#warned.add(tool);
    this.#log.warn({ server: this.#name, tool, reason }, 'a tool declares invalid headers and is not offered');
  }
}
