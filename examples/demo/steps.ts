/**
 * The session the demo plays, step by step. A step that does not go as it should rejects.
 * @module
 */
import { setTimeout as pause } from 'node:timers/promises';
import { Colleague } from './colleague.ts';
import { Person } from './person.ts';
import { note, reply, request, say, stream } from './screen.ts';
import type { Stage } from './stage.ts';

export interface Step {
  title: string;
  explanation: string;
  play(stage: Stage): Promise<void>;
}

const WAIT_MS = 15_000;

function demand(holds: boolean, otherwise: string): asserts holds {
  if (!holds) throw new Error(otherwise);
}

/** Repeats `look` until it gives something; rejects with `otherwise` when it does not in time. */
async function until<T>(look: () => Promise<T | undefined>, otherwise: string): Promise<T> {
  const deadline = performance.now() + WAIT_MS;
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    demand(performance.now() < deadline, otherwise);
    await pause(50);
  }
}

interface Listed {
  servers: { name: string; state: string; error?: string }[];
}

/** The first names of each server. */
function showGroups(names: readonly string[], separator: string): void {
  const groups = Map.groupBy(names, (name) => (name.includes(separator) ? name.split(separator, 1)[0] : 'the gateway'));
  for (const [server, own] of groups) {
    say(`  ${server}: ${own.slice(0, 3).join(', ')}${own.length > 3 ? ` and ${own.length - 3} more` : ''}`);
  }
}

export const STEPS: readonly Step[] = [
  {
    title: 'One endpoint, many servers',
    explanation:
      'The client knows one address. Behind it: two MCP servers on stdio, a Mastra and a LangGraph server, an MQTT broker.',
    async play({ url, person }) {
      say(`The client is connected to ${url} and speaks MCP ${person.revision}.`);
      request('listServers');
      const text = await until(async () => {
        const answer = await person.call('listServers');
        const { servers } = answer.data as unknown as Listed;
        return servers.every(({ state }) => state === 'ready') ? answer.text : undefined;
      }, 'Not every server became ready.');
      reply(text);
    },
  },
  {
    title: 'All their tools, under stable names',
    explanation:
      'A tool is called <server>__<name>, whatever other servers there are. The gateway has a few of its own.',
    async play({ person }) {
      request('tools/list');
      const tools = await person.tools();
      reply(`${tools.length} tools:`);
      showGroups(tools, '__');
      for (const name of ['everything__echo', 'notes__write', 'mastra__add', 'callAgent']) {
        demand(tools.includes(name), `The tool ${name} is not listed.`);
      }
    },
  },
  {
    title: 'A tool is called',
    explanation: 'The call goes to the server it belongs to, and its result comes back as it was sent.',
    async play({ person }) {
      const { text } = await person.show('everything__get-sum', { a: 19, b: 23 });
      demand(text.includes('42'), 'The sum is wrong.');
    },
  },
  {
    title: 'The agents of all servers',
    explanation: 'Agents are listed next to tools, whatever framework they are made with.',
    async play({ person }) {
      request('listAgents');
      const { agents } = (await person.call('listAgents')).data as unknown as { agents: { agent: string }[] };
      const names = agents.map(({ agent }) => agent);
      reply(`${names.length} agents:`);
      showGroups(names, '/');
      for (const name of ['mastra/echo', 'langgraph/approval']) demand(names.includes(name), `${name} is missing.`);
    },
  },
  {
    title: 'A Mastra agent answers, word by word',
    explanation: 'What the agent says arrives as progress while it is made, and as the result when it is done.',
    async play({ person }) {
      const message = 'Good morning! Does this text arrive in pieces?';
      const spoken = await person.listen('mastra/echo', message);
      demand(spoken.text === `Echo: ${message}`, `The agent said something else: ${spoken.text}`);
      const sum = await person.listen('mastra/calculator', 'Add 19 and 23');
      demand(sum.text.includes('42'), `The agent said something else: ${sum.text}`);
    },
  },
  {
    title: 'A LangGraph agent answers, letter by letter',
    explanation: 'The same tool, another framework. A bare id would do if only one server had such an agent.',
    async play({ person }) {
      const message = 'Tokens may be as small as letters.';
      const { text } = await person.listen('langgraph/echo', message);
      demand(text === `echo: ${message}`, `The agent said something else: ${text}`);
    },
  },
  {
    title: 'An agent that asks a person first',
    explanation: 'The graph stops at an interrupt. The gateway turns it into a question to the client, and goes on.',
    async play({ person }) {
      const { text } = await person.show('callAgent', { agent: 'langgraph/approval', message: 'Release version 2' });
      demand(text === 'answer: yes', `The run did not go on: ${text}`);
    },
  },
  {
    title: 'A workflow that waits for a person',
    explanation: 'Workflows are tools. This one suspends in the middle; the answer to its question resumes it.',
    async play({ person }) {
      const { text } = await person.show('mastra__workflow-publish', { text: 'the news' });
      demand(text.includes('published the news'), `The workflow did not go on: ${text}`);
    },
  },
  {
    title: 'A run that outlives its client',
    explanation:
      'An agent is called in the background, and its client leaves. Another client of the same person asks for the answer.',
    async play({ url }) {
      const first = await Person.connect(url);
      const { data } = await first.show('callAgent', { agent: 'langgraph/slow', message: '20', background: true });
      await first.close();
      note('The client has disconnected. The run goes on.');
      const second = await Person.connect(url);
      try {
        const { text } = await second.show('getRun', { run: data.run, waitMs: WAIT_MS });
        demand(text.includes('completed'), `The run did not end: ${text}`);
      } finally {
        await second.close();
      }
    },
  },
  {
    title: 'The same agent, for a client of A2A',
    explanation:
      'A program that speaks no MCP calls it at /a2a/langgraph/approval, is asked, answers, and gets the result.',
    async play({ url }) {
      const agent = new URL('/a2a/langgraph/approval/', url).href;
      const colleague = await Colleague.meet(agent);
      say(`The A2A client has read the card at ${agent}.well-known/agent-card.json`);
      request('SendMessage', { text: 'Release version 3' });
      const asked = await colleague.say('Release version 3');
      reply(`${asked.state}: ${asked.text}`);
      demand(asked.state === 'INPUT_REQUIRED', 'The agent did not ask.');
      request('SendMessage', { text: 'yes' });
      const done = await colleague.say('yes', asked.task);
      reply(`${done.state}: ${done.text}`);
      demand(done.text === 'answer: yes', 'The run did not go on.');
    },
  },
  {
    title: 'Another server joins while everything runs',
    explanation:
      'connectServer takes a URL, finds out what answers there, and every client is notified of the new tools.',
    async play({ person, diceUrl }) {
      const before = await person.tools();
      const changes = person.changes;
      await person.show('connectServer', { url: diceUrl, name: 'dice' });
      await person.changedAgain(changes, WAIT_MS);
      const added = (await person.tools()).filter((name) => !before.includes(name));
      note(`The client hears that the list changed. New: ${added.join(', ')}`);
      await person.show('dice__roll', { sides: 20 });

      const further = person.changes;
      await person.show('disconnectServer', { name: 'dice' });
      await person.changedAgain(further, WAIT_MS);
      const left = await person.tools();
      note(`The client hears that the list changed again: ${left.length} tools, as before.`);
      demand(left.join() === before.join(), 'The tools are not those from before.');
    },
  },
  {
    title: 'A tool on an MQTT broker',
    explanation:
      'A device offers it by a retained card. Its stream is progress, and its will takes the tool away again.',
    async play({ person, greenhouse }) {
      const args = { seconds: 3 };
      request('garden__water', args);
      const { data } = await person.call('garden__water', args, stream);
      say(JSON.stringify(data));
      demand(data.watered === 'tomatoes', 'Nothing was watered.');
      note('The device loses its power.');
      const changes = person.changes;
      greenhouse.cutPower();
      await person.changedAgain(changes, WAIT_MS);
      const isGone = async () => ((await person.tools()).includes('garden__water') ? undefined : true);
      await until(isGone, 'The tool is still listed.');
      note('The client hears that the list changed: garden__water is gone, although its card is still on the broker.');
    },
  },
  {
    title: 'A server breaks, and comes back',
    explanation: 'Its plug is pulled in the middle of a call. Its caller receives an error; no other caller notices.',
    async play({ person }) {
      await person.show('notes__write', { text: 'before the accident' });
      await person.fails('notes__pull_the_plug');
      await person.show('everything__echo', { message: 'I did not notice anything.' });
      note('The gateway starts the server again by itself, and a call waits for it.');
      const began = performance.now();
      await person.show('notes__write', { text: 'after the accident' });
      note(`It took ${((performance.now() - began) / 1_000).toFixed(1)} s.`);
    },
  },
];
