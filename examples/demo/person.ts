/**
 * The person at the client: an official client (SDK v2), which calls tools, is asked for input and is notified of changes.
 * @module
 */
import { Client, type ElicitResult, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { note, red, reply, request, say, stream } from './screen.ts';

export interface Answer {
  text: string;
  data: Record<string, unknown>;
}

export class Person {
  readonly #client: Client;
  /** How often the list of tools was said to have changed. */
  #changes = 0;
  #hearers: (() => void)[] = [];

  private constructor(client: Client) {
    this.#client = client;
  }

  static async connect(url: string): Promise<Person> {
    const client = new Client(
      { name: 'switchboard-demo', version: '1.0.0' },
      {
        versionNegotiation: { mode: 'auto' },
        capabilities: { elicitation: { form: {} } },
        listChanged: { tools: { autoRefresh: false, onChanged: () => person.#onListChanged() } },
      },
    );
    const person = new Person(client);
    client.setRequestHandler('elicitation/create', ({ params }) => person.#answer(params));
    await client.connect(new StreamableHTTPClientTransport(new URL(url)));
    return person;
  }

  get revision(): string {
    return this.#client.getNegotiatedProtocolVersion() ?? 'unknown';
  }

  get changes(): number {
    return this.#changes;
  }

  async tools(): Promise<string[]> {
    const { tools } = await this.#client.listTools({}, { cacheMode: 'bypass' });
    return tools.map(({ name }) => name);
  }

  /** Calls a tool; rejects with what it says when it fails. */
  async call(name: string, args: Record<string, unknown> = {}, onText?: (text: string) => void): Promise<Answer> {
    const onprogress = ({ message = '' }: { message?: string }): void => onText?.(message);
    const options = { timeout: 20_000, ...(onText ? { onprogress } : {}) };
    const result = await this.#client.callTool({ name, arguments: args }, options);
    const block = result.content.find(({ type }) => type === 'text');
    const text = block?.type === 'text' ? block.text : '';
    if (result.isError) throw new Error(text);
    return { text, data: (result.structuredContent ?? {}) as Record<string, unknown> };
  }

  /** Calls a tool, and shows what is sent and what comes back. */
  async show(name: string, args: Record<string, unknown> = {}): Promise<Answer> {
    request(name, args);
    const answer = await this.call(name, args);
    reply(answer.text);
    return answer;
  }

  /** Shows the error a call fails with; rejects when it does not fail. */
  async fails(name: string, args: Record<string, unknown> = {}): Promise<void> {
    request(name, args);
    const failure = await this.call(name, args).then(
      ({ text }) => ({ succeeded: text }),
      (error: Error) => error,
    );
    if (!(failure instanceof Error)) throw new Error(`${name} should have failed and said: ${failure.succeeded}`);
    reply(red(`Error: ${failure.message}`));
  }

  /** Asks an agent, and shows what it says while it says it. */
  async listen(agent: string, message: string): Promise<Answer> {
    const args = { agent, message, stream: true };
    request('callAgent', args);
    let pieces = 0;
    const answer = await this.call('callAgent', args, (text) => {
      pieces++;
      stream(text);
    });
    say(`(it came in ${pieces} pieces)`);
    return answer;
  }

  /** Resolves when the client was notified of more changes than this. */
  async changedAgain(beyond: number, ms: number): Promise<void> {
    if (this.#changes > beyond) return;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#hearers.push(resolve);
    const timer = setTimeout(() => reject(new Error('The client did not hear that the list of tools changed.')), ms);
    await promise.finally(() => clearTimeout(timer));
  }

  close(): Promise<void> {
    return this.#client.close();
  }

  #onListChanged(): void {
    this.#changes++;
    for (const hear of this.#hearers.splice(0)) hear();
  }

  /** The script's answer to every question: the first thing that may be chosen. */
  #answer(params: Record<string, unknown>): ElicitResult {
    const { properties = {} } = (params.requestedSchema ?? {}) as {
      properties?: Record<string, { type?: string; enum?: string[] }>;
    };
    note(`The client shows a form: ${String(params.message)}`);
    const content: Record<string, string | boolean> = {};
    for (const [field, { type, enum: choices = [] }] of Object.entries(properties)) {
      content[field] = type === 'boolean' ? true : (choices[0] ?? 'yes');
      note(`The person chooses '${content[field]}'${choices.length > 0 ? ` out of ${choices.join(', ')}` : ''}.`);
    }
    return { action: 'accept', content };
  }
}
