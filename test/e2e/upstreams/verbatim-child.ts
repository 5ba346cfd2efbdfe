/** A stdio server that answers a request with the very line it came in: `node verbatim-child.ts <era>`. */
import { createInterface } from 'node:readline';
import { answerTo, type ServerEra } from '../verbatim.ts';

const era = process.argv[2] as ServerEra;
for await (const line of createInterface({ input: process.stdin })) {
  const answer = answerTo(line, era);
  if (answer !== undefined) process.stdout.write(`${answer}\n`);
}
