/**
 * A Dockerfile, read as strictly as a builder reads it: instructions, their flags, exec forms, and stages that there are.
 * Source: docs.docker.com/reference/dockerfile.
 * @module
 */

export interface Instruction {
  readonly line: number;
  readonly word: string;
  readonly flags: Readonly<Record<string, string>>;
  /** What follows the flags. */
  readonly rest: string;
}

/** Flags of each instruction that is used. One that is not here is a mistake. */
const FLAGS: Readonly<Record<string, readonly string[]>> = {
  FROM: ['platform'],
  WORKDIR: [],
  COPY: ['from', 'chown', 'chmod', 'link', 'parents', 'exclude'],
  RUN: ['mount', 'network', 'security'],
  ENV: [],
  ARG: [],
  LABEL: [],
  USER: [],
  VOLUME: [],
  EXPOSE: [],
  HEALTHCHECK: ['interval', 'timeout', 'start-period', 'start-interval', 'retries'],
  ENTRYPOINT: [],
  CMD: [],
};

export function instructionsIn(text: string): Instruction[] {
  const found: Instruction[] = [];
  const lines = text.split('\n');
  for (let at = 0; at < lines.length; at++) {
    const line = at + 1;
    let joined = lines[at] as string;
    if (joined.trim() === '' || joined.trimStart().startsWith('#')) continue;
    while (joined.endsWith('\\')) {
      joined = joined.slice(0, -1);
      at++;
      if (at >= lines.length) throw new Error(`${line}: the last line goes on.`);
      // Comments between continued lines are left out.
      if (!(lines[at] as string).trimStart().startsWith('#')) joined += (lines[at] as string).trimStart();
      else joined += '\\';
    }
    found.push(instructionOf(joined.trim(), line));
  }
  return found;
}

function instructionOf(text: string, line: number): Instruction {
  const [word = ''] = text.split(/\s/, 1);
  let rest = text.slice(word.length).trimStart();
  const flags: Record<string, string> = {};
  for (let match = /^--([a-z-]+)(?:=(\S+))?\s+/.exec(rest); match; match = /^--([a-z-]+)(?:=(\S+))?\s+/.exec(rest)) {
    flags[match[1] as string] = match[2] ?? 'true';
    rest = rest.slice(match[0].length);
  }
  return { line, word, flags, rest };
}

/** What a builder would refuse, or build into something else than it says: a line each. */
export function dockerfileMistakes(text: string): string[] {
  const mistakes: string[] = [];
  const stages = new Set<string>();
  let count = 0;
  const once = new Map<string, number>();
  const all = instructionsIn(text);
  if (all[0]?.word !== 'FROM' && all[0]?.word !== 'ARG') mistakes.push('It does not begin with an image.');
  for (const { line, word, flags, rest } of all) {
    const wrong = (what: string): void => void mistakes.push(`${line}: ${word} ${what}`);
    const known = FLAGS[word];
    if (!known) wrong('is no instruction, or none that is used here.');
    for (const flag of Object.keys(flags)) if (known && !known.includes(flag)) wrong(`has no flag --${flag}.`);
    if (rest === '') wrong('says nothing.');
    if (word === 'FROM') {
      const match = /^\S+(?:\s+AS\s+([a-z][a-z0-9_.-]*))?$/.exec(rest);
      if (!match) wrong(`is no image, or names its stage badly: ${rest}`);
      if (match?.[1] !== undefined && stages.has(match[1])) wrong(`names a second stage ${match[1]}.`);
      if (match?.[1] !== undefined) stages.add(match[1]);
      count++;
      once.clear();
    }
    if (word === 'COPY') {
      const words = rest.startsWith('[') ? execForm(rest) : rest.split(/\s+/);
      if (!words || words.length < 2) wrong('needs a source and a place.');
      if (
        words &&
        words.length > 2 &&
        !words.at(-1)?.endsWith('/') &&
        !words.at(-1)?.startsWith('.') &&
        !isFolder(words)
      )
        wrong('copies several files to what is no folder.');
      const { from } = flags;
      if (from !== undefined && !stages.has(from) && !/^\d+$/.test(from))
        wrong(`is from ${from}, which is no stage before.`);
      if (/^\d+$/.test(from ?? '') && Number(from) >= count - 1) wrong(`is from stage ${from}, which is not before.`);
    }
    if (word === 'WORKDIR' && !rest.startsWith('/')) wrong('is not absolute.');
    if (word === 'ENV' && !/^(?:[A-Za-z_]\w*=(?:"[^"]*"|\S+)\s*)+$/.test(rest)) wrong(`is not NAME=value: ${rest}`);
    if (word === 'EXPOSE' && !rest.split(/\s+/).every((each) => /^\d{1,5}(?:\/(?:tcp|udp))?$/.test(each)))
      wrong(`is no port: ${rest}`);
    if (word === 'USER' && !/^[\w-]+(?::[\w-]+)?$/.test(rest)) wrong(`is no user: ${rest}`);
    if (word === 'HEALTHCHECK') {
      if (rest !== 'NONE' && !/^CMD\s+\S/.test(rest)) wrong('has no command.');
      for (const [flag, value] of Object.entries(flags))
        if (!(flag === 'retries' ? /^\d+$/ : /^\d+(?:ms|s|m|h)$/).test(value)) wrong(`--${flag} is no time: ${value}`);
      const command = rest.replace(/^CMD\s+/, '');
      if (command.startsWith('[') && !execForm(command)) wrong(`is no list of words: ${command}`);
    }
    if (word === 'CMD' || word === 'ENTRYPOINT') {
      // A shell between would not pass signals on.
      if (!execForm(rest)) wrong(`is no list of words: ${rest}`);
    }
    if (['CMD', 'ENTRYPOINT', 'HEALTHCHECK'].includes(word)) {
      if (once.has(word)) wrong(`overrides that of line ${once.get(word)}.`);
      once.set(word, line);
    }
  }
  return mistakes;
}

/** A place without a slash at its end that a copy of a folder makes: `COPY folder folder`. */
const isFolder = (words: readonly string[]): boolean => words.length === 2;

function execForm(text: string): string[] | undefined {
  try {
    const words: unknown = JSON.parse(text);
    return Array.isArray(words) && words.length > 0 && words.every((word) => typeof word === 'string')
      ? words
      : undefined;
  } catch {
    return undefined;
  }
}
