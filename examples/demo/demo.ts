/**
 * `npm run demo`: real servers, the gateway in front of them, and a session a person can follow. Needs no network and
 * no keys. Exits with 0 when everything went as it should, with 1 and the reason when it did not.
 * @module
 */
import { type Curtain, perform } from './curtain.ts';
import { bold, dim, heading, say, title } from './screen.ts';
import { setStage } from './stage.ts';
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

await perform(play, LIMIT_MS);
