/**
 * What is read of another program's configuration file, and what becomes of it.
 * @module
 */
import type { JsonPath } from '../../config/jsonc.ts';
import type { JsonObject } from '../../wire/jsonrpc.ts';

/** Something of the file that could not be taken as it is, or that wants a look. */
export interface Remark {
  path: JsonPath;
  /** A sentence part: `not taken: …`. */
  text: string;
  /** The server is missing because of it. */
  lost?: boolean;
}

export class Remarks {
  readonly all: Remark[] = [];

  notTaken(path: JsonPath, why: string): void {
    this.all.push({ path, text: `not taken: ${why}` });
  }

  note(path: JsonPath, text: string): void {
    this.all.push({ path, text });
  }

  lost(path: JsonPath, why: string): void {
    this.all.push({ path, text: `not taken: ${why}`, lost: true });
  }
}

/** One server as the file has it. */
export interface Written {
  name: string;
  path: JsonPath;
  entry: JsonObject;
}

/** How a program writes what others write differently. */
export interface Format {
  /** As `--from` takes it. */
  readonly id: string;
  /** For people. */
  readonly label: string;
  /** What `timeout` of an entry counts; undefined: not known. */
  readonly timeout?: 'milliseconds' | 'seconds';
  /** Whether `$VAR` is a variable beside `${VAR}`. */
  readonly dollarNames?: boolean;
  /** Whether `${…}` in the file is text like any other. */
  readonly literal?: boolean;
  /** Whether an empty or null variable in `env` is taken from the environment. */
  readonly emptyIsInherited?: boolean;
  /** Whether a file is of this program: the more it fits, the higher; 0 is no. */
  fits(root: JsonObject): number;
  /** The servers of the file; reports what else stands there and is not taken. */
  servers(root: JsonObject, remarks: Remarks): Written[];
}
