/**
 * How the demo looks in a terminal: plain lines, colours only where there is one.
 * @module
 */
const hasColour = process.stdout.isTTY === true && process.env.NO_COLOR === undefined && process.env.TERM !== 'dumb';

const paint =
  (code: number) =>
  (text: string): string =>
    hasColour ? `\u001b[${code}m${text}\u001b[0m` : text;

export const bold = paint(1);
export const dim = paint(2);
export const red = paint(31);
export const green = paint(32);
export const yellow = paint(33);
export const cyan = paint(36);

const INDENT = '   ';
let atLineStart = true;

/** Writes as it comes, indented, without waiting for a whole line. */
export function stream(text: string): void {
  for (const part of text.split(/(?<=\n)/)) {
    if (part === '') continue;
    process.stdout.write(atLineStart ? `${INDENT}${part}` : part);
    atLineStart = part.endsWith('\n');
  }
}

/** Whole lines, after whatever stands there. */
export function say(text = ''): void {
  if (!atLineStart) stream('\n');
  if (text === '') process.stdout.write('\n');
  else stream(`${text}\n`);
}

/** A line at the margin. */
export function title(text: string): void {
  if (!atLineStart) stream('\n');
  process.stdout.write(`${text}\n`);
}

export function heading(number: number, name: string, explanation: string): void {
  say();
  title(bold(cyan(`${number}. ${name}`)));
  say(dim(explanation));
}

/** What is sent, as short as it can be said. */
export const request = (what: string, args: object = {}): void => {
  const shown = Object.keys(args).length === 0 ? '' : ` ${dim(JSON.stringify(args))}`;
  say(`${cyan('→')} ${what}${shown}`);
};

export const reply = (text: string): void => {
  for (const [index, line] of text.split('\n').entries()) say(index === 0 ? `${green('←')} ${line}` : `  ${line}`);
};

export const note = (text: string): void => say(`${yellow('•')} ${text}`);
