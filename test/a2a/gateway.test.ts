/** A2A agents of both versions behind the whole gateway, for clients of both eras. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type ClientKind, Clients, type ToolResult } from '../e2e/clients.ts';
import { type OwnGateway, startReadyGateway } from '../e2e/gateway.ts';
import { type A2aFixture, startA2a } from '../fixtures/a2a.ts';

const ERAS: ClientKind[] = ['v1', 'v2-modern'];

let current: A2aFixture;
let older: A2aFixture;
let gateway: OwnGateway;
const clients = new Clients();

beforeAll(async () => {
  [current, older] = await Promise.all([startA2a('1.0 JSONRPC'), startA2a('0.3 JSONRPC')]);
  gateway = await startReadyGateway({
    // One is detected by its card.
    servers: { current: { url: current.url }, older: { url: older.url, kind: 'a2a' } },
  });
});
afterEach(() => clients.close());
afterAll(async () => {
  await gateway?.close();
  await Promise.all([current?.stop(), older?.stop()]);
});

const structured = (result: ToolResult): Record<string, unknown> => result.structuredContent ?? {};

describe('A2A agents behind the gateway', () => {
  it('are listed with their kind, which was detected', async () => {
    const client = await clients.connect('v2-auto', { http: gateway.url });
    const { agents } = structured(await client.call('listAgents')) as { agents: object[] };
    expect(agents).toEqual([
      expect.objectContaining({ agent: 'current/Test-Agent', kind: 'a2a', description: 'An agent for tests' }),
      expect.objectContaining({ agent: 'older/Test-Agent', kind: 'a2a' }),
    ]);
  });

  describe.each(ERAS)('of a %s client', (era) => {
    it.each(['current', 'older'])('of %s answer, ask and go on', async (server) => {
      const client = await clients.connect(
        era,
        { http: gateway.url },
        { elicit: () => ({ action: 'accept', content: { answer: 'blue' } }) },
      );
      const agent = `${server}/Test-Agent`;
      expect(structured(await client.call('callAgent', { agent, message: 'hello there' }))).toMatchObject({
        agent,
        status: 'completed',
        text: 'hello there',
      });
      expect(structured(await client.call('callAgent', { agent, message: 'ask' }))).toMatchObject({
        status: 'completed',
        text: 'You chose blue.',
      });
    });

    it('of a client that cannot be asked waits, and a later call answers', async () => {
      const client = await clients.connect(era, { http: gateway.url });
      const agent = 'current/Test-Agent';
      const waiting = structured(await client.call('callAgent', { agent, message: 'ask' }));
      expect(waiting).toMatchObject({ status: 'interrupted', interrupts: [{ message: 'Which colour?' }] });
      const options = { taskId: waiting.runId };
      const result = structured(await client.call('callAgent', { agent, message: 'green', options }));
      expect(result).toMatchObject({ status: 'completed', text: 'You chose green.' });
    });
  });
});
