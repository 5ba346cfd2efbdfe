/**
 * `npm run demo`: real servers, the gateway in front of them, and a session a person can follow. Needs no network and
 * no keys. Exits with 0 when everything went as it should, with 1 and the reason when it did not.
 * @module
 */
import { bold, dim, heading, red, say, title } from './screen.ts';
import { Curtain, setStage } from './stage.ts';
import { STEPS } from './steps.ts';

/** Something hangs that should not. */
const LIMIT_MS = 90_000;

async function play(curtain: Curtain): Promise<void> {
  title(bold('Switchboard: one MCP endpoint in front of many servers'));
  title(
    dim('Starting a Mastra server, a LangGraph server, an MQTT broker and the gateway; their models need no network …'),
  );
  const began = performance.now();
  const stage = await setStage(curtain);
  title(dim(`Ready after ${seconds(began)} s.`));
  for (const [index, step] of STEPS.entries()) {
    heading(index + 1, step.title, step.explanation);
    try {
      await step.play(stage);
    } catch (error) {
      throw new Error(`Step ${index + 1} (${step.title}) failed: ${(error as Error).message}`, { cause: error });
    }
  }
  say();
  title(bold(`That was all, in ${seconds(began)} s. Try it with your own servers: npm start`));
}

const seconds = (since: number): string => ((performance.now() - since) / 1_000).toFixed(1);

const curtain = new Curtain();
const { promise: given, reject: giveUp } = Promise.withResolvers<never>();
const limit = setTimeout(() => giveUp(new Error(`The demo took longer than ${LIMIT_MS / 1_000} s.`)), LIMIT_MS);
let exitCode = 0;
for (const [signal, code] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const) {
  // Asked twice, it still ends in order: that takes seconds, and what it started must not stay behind.
  process.on(signal, () => {
    exitCode ||= code;
    giveUp(new Error('Stopped.'));
  });
}
try {
  await Promise.race([play(curtain), given]);
} catch (error) {
  exitCode ||= 1;
  say();
  process.stderr.write(`${red((error as Error).message)}\n`);
} finally {
  clearTimeout(limit);
  await curtain.fall();
}
process.exit(exitCode);
