/**
 * What the official clients of both SDKs have in common in tests.
 * @module
 */

export interface ToolResult {
  content: { type: string; text?: string; [member: string]: unknown }[];
  structuredContent?: Record<string, unknown>;
  isError?: boolean;
  _meta?: Record<string, unknown>;
}

export interface CallOptions {
  onProgress?: (progress: { progress: number; total?: number; message?: string }) => void;
  signal?: AbortSignal;
}

/** Notifications a client received, by method. */
export type Heard = Record<string, unknown>[];

export interface TestClient {
  readonly version: string;
  readonly capabilities: Record<string, unknown>;
  /** Names of all pages. */
  tools(): Promise<string[]>;
  call(name: string, args?: Record<string, unknown>, options?: CallOptions): Promise<ToolResult>;
  /** Any request of the protocol; gives the result as it came. */
  request(method: string, params?: Record<string, unknown>): Promise<Record<string, unknown>>;
  /** Params of the notifications of this method so far. */
  heard(method: string): Heard;
  /** Receives list changes and updates of these resources, in the way of this client's revision. */
  listen(resources?: readonly string[]): Promise<void>;
  close(): Promise<void>;
}

/** What the person in front of the client does. What is left out is not declared. */
export interface Person {
  elicit?: (params: Record<string, unknown>) => Record<string, unknown> | Promise<Record<string, unknown>>;
  sample?: (params: Record<string, unknown>) => Record<string, unknown> | Promise<Record<string, unknown>>;
  roots?: { uri: string; name?: string }[];
}

export type Way =
  | { http: string | URL; headers?: Record<string, string> }
  | { sse: string | URL }
  | { stdio: { command: string; args: string[]; env?: Record<string, string>; cwd?: string } };
