/** Runs that another process began, on servers that are away for a moment, or keep less than they might. */
import type { ServerResponse } from 'node:http';
import { afterEach, describe, expect, it } from 'vitest';
import { SwitchboardError } from '../../src/core/errors.ts';
import type { Upstream } from '../../src/core/upstream.ts';
import type { JsonObject } from '../../src/wire/jsonrpc.ts';
import type { PolledUpstream } from '../shared/polled-upstream.ts';
import { type FakeCall, fakeCall } from '../testing/call.ts';
import { fakeContext } from '../testing/context.ts';
import { codeOf, resultOf, until } from '../testing/outcome.ts';
import { LanggraphApi } from './api.ts';
import { AttachedRun } from './attach.ts';
import { type Answer, cancels, connect, endAll, json, type Routes, serve, text } from './testing/scripted-server.ts';

afterEach(endAll);

const RUN = 'GET /threads/*/runs/*';
const EVENTS = 'GET /threads/*/runs/*/stream';
const STATE: Routes = {
  'GET /threads/*/state': json({ values: { messages: [{ type: 'ai', content: 'one two' }] }, next: [], tasks: [] }),
};
const place = { after: '4', said: { sent: 2, message: 'm', task: '', tail: 'e ' }, continues: true };
const run = { runId: 'run-1', threadId: 't-1', thread: { server: 't-1', client: 't-1', origin: 'uuid', wanted: true } };

function attach(upstream: Upstream, more: JsonObject = {}, { stream = true, silenceMs = 60_000 } = {}) {
  const told: JsonObject[] = [];
  const began = told.push.bind(told);
  const call = Object.assign(fakeCall({ wantsProgress: true, silenceMs }), { lasting: true, began });
  const params = { agent: 'graph-1', run: { ...run, ...more }, stream };
  return { call, told, ended: upstream.request('agents/attach', params, call).then(resultOf) };
}

const said = ({ notifications }: FakeCall): unknown[] => notifications.map(({ params }) => params?.message);
const piece = (content: string, id: number, message = 'm', task = ''): string =>
  `event: messages\ndata: ${JSON.stringify([{ type: 'ai', id: message, content }, { checkpoint_ns: task }])}\nid: ${id}\n\n`;
/** The stream stays open. */
const opened =
  (...pieces: string[]): Answer =>
  (response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' }).flushHeaders();
    response.write(pieces.join(''));
  };
const events =
  (...pieces: string[]): Answer =>
  (response) =>
    void response.writeHead(200, { 'content-type': 'text/event-stream' }).end(pieces.join(''));

/** Answers in order; the last one again and again. */
function inOrder(...answers: Answer[]): Answer {
  return (...args) => (answers.length > 1 ? answers.shift() : answers[0])?.(...args);
}
const cut = (response: ServerResponse): void => void response.destroy();

describe('an attached run', () => {
  it.each<[string, Answer]>([
    ['breaks the connection off', cut],
    ['is behind a proxy that finds it away', text('Bad Gateway', 502)],
  ])('is looked for again while its server %s', async (_, away) => {
    const { upstream, seen } = await connect({
      ...STATE,
      [RUN]: inOrder(away, json({ status: 'running' }), away, json({ status: 'success' })),
      'GET /threads/*/state': inOrder(away, STATE['GET /threads/*/state'] as Answer),
    });
    expect(await attach(upstream).ended).toMatchObject({ status: 'completed', text: 'one two' });
    expect(cancels(seen)).toBe(0);
  });

  it('is cancelled, and has failed, when its server does not come back', async () => {
    const { upstream, seen } = await connect({ [RUN]: cut });
    expect(codeOf(await attach(upstream).ended.catch((error) => error))).toBe('SWB_UPSTREAM_UNAVAILABLE');
    expect(seen.filter((key) => key === RUN)).toHaveLength(4);
    await until('it is cancelled', () => cancels(seen) === 1);
  });

  it('says what follows the last event that was read, from each connection that breaks off', async () => {
    const asked: unknown[] = [];
    const { upstream } = await connect({
      ...STATE,
      [EVENTS]: (response, request, body) => {
        asked.push(request.headers['last-event-id']);
        events(piece(asked.length === 1 ? 'tw' : 'o', asked.length + 4))(response, request, body);
      },
      [RUN]: inOrder(json({ status: 'running' }), json({ status: 'success' })),
    });
    const { call, ended } = attach(upstream, place);
    expect(await ended).toMatchObject({ text: 'one two' });
    expect([asked, said(call)]).toEqual([
      ['4', '5'],
      ['tw', 'o'],
    ]);
  });

  it.each<[string, Answer, unknown[]]>([
    ['counts anew, as after a restart: what lies between is not known', events(piece('x', 0), piece('y', 5)), []],
    ['has left some out', events(piece('tw', 5), piece('!', 7), piece('!', 8)), ['tw']],
    ['has no such stream', text('404 Not Found', 404), []],
    ['sends another thing', json({ status: 'success' }), []],
    ['sends what is no event of its own', events('event: messages\ndata: <html>\nid: 5\n\n', piece('x', 6)), []],
    ['sends an event that is too long', events(piece('x'.repeat(9_000), 5), piece('y', 6)), []],
  ])('has its whole text in the result alone where its server %s', async (_, answer, heard) => {
    const { upstream, seen } = await connect({ ...STATE, [EVENTS]: answer }, { maxReplyBytes: 8_192 });
    const { call, ended } = attach(upstream, place);
    expect(await ended).toMatchObject({ status: 'completed', text: 'one two' });
    expect(said(call)).toEqual(heard);
    expect(seen.filter((key) => key === EVENTS)).toHaveLength(1);
  });

  it('whose stream is silent after its end is over all the same', async () => {
    const { upstream, seen } = await connect({ ...STATE, [EVENTS]: opened() });
    expect(await attach(upstream, place, { silenceMs: 600 }).ended).toMatchObject({ text: 'one two' });
    expect(seen.filter((key) => key === EVENTS)).toHaveLength(1);
  });

  it('says what its stream has after its server has said that it is over', async () => {
    let stream: ServerResponse | undefined;
    const { upstream } = await connect({
      ...STATE,
      [EVENTS]: (response, ...more) => {
        stream = response;
        opened()(response, ...more);
      },
      [RUN]: (response) => {
        const body = JSON.stringify({ status: 'success' });
        response.writeHead(200, { 'content-type': 'application/json' }).end(body, () => {
          if (stream?.writableEnded === false) stream.end(piece('two', 5));
        });
      },
    });
    const { call, ended } = attach(upstream, place, { silenceMs: 1_500 });
    expect(await ended).toMatchObject({ text: 'one two' });
    expect(said(call)).toEqual(['two']);
  });

  it.each<[string, Answer, string[]]>([
    ['was refused for a moment', text('Service Unavailable', 503), ['4', '4']],
    [
      'broke off',
      (response) =>
        void response
          .writeHead(200, { 'content-type': 'text/event-stream' })
          .write(piece('tw', 5), () => response.destroy()),
      ['4', '5'],
    ],
  ])('says the rest of a stream that %s while it ended', async (_, first, after) => {
    const asked: unknown[] = [];
    const rest = after[1] === '4' ? [piece('tw', 5), piece('o', 6)] : [piece('o', 6)];
    const answers = inOrder(first, events(...rest));
    const { upstream } = await connect({
      ...STATE,
      [EVENTS]: (response, request, body) => {
        asked.push(request.headers['last-event-id']);
        answers(response, request, body);
      },
    });
    const { call, ended } = attach(upstream, place);
    expect(await ended).toMatchObject({ text: 'one two' });
    expect([asked, said(call)]).toEqual([after, ['tw', 'o']]);
  });

  it('has its whole text in the result alone where its stream keeps breaking off after its end', async () => {
    const { upstream, seen } = await connect({ ...STATE, [EVENTS]: cut });
    const { call, ended } = attach(upstream, place);
    expect(await ended).toMatchObject({ text: 'one two' });
    expect([seen.filter((key) => key === EVENTS).length, said(call)]).toEqual([3, []]);
  });

  it('does not speak where no text is wanted', async () => {
    const { upstream, seen } = await connect({ ...STATE, [EVENTS]: events(piece('two', 5)) });
    const { call, ended } = attach(upstream, place, { stream: false });
    expect(await ended).toMatchObject({ text: 'one two' });
    expect([seen.includes(EVENTS), said(call)]).toEqual([false, []]);
  });

  it('says nothing twice where its server is lost while text of another message waits', async () => {
    const routes: Routes = {
      ...STATE,
      [EVENTS]: opened(piece('tw', 5), piece('aside', 6, 'n', 'other'), piece('o', 7)),
      [RUN]: json({ status: 'running' }),
    };
    const { upstream } = await connect(routes);
    const { call, told, ended } = attach(upstream, place);
    const failed = ended.catch(codeOf);
    await until('it has spoken', () => said(call).length === 2);
    expect(told).toMatchObject([{ after: '5', continues: true }]);
    (upstream as PolledUpstream).reportDown(new SwitchboardError('SWB_UPSTREAM_UNAVAILABLE', 'refused'));
    await upstream.close();
    expect(await failed).toBe('SWB_UPSTREAM_UNAVAILABLE');
    const { upstream: back, seen } = await connect({ ...routes, [RUN]: json({ status: 'success' }) });
    const next = fakeCall({ wantsProgress: true });
    const params = { agent: 'graph-1', run: told.at(-1), stream: true };
    expect(resultOf(await back.request('agents/attach', params, next))).toMatchObject({ text: 'one two' });
    expect([seen.includes(EVENTS), said(next)]).toEqual([false, []]);
  });

  it.each<[string, Answer, string]>([
    ['failed', json({ status: 'error' }), 'failed'],
    ['ran out of time', json({ status: 'timeout' }), 'ran out'],
    ['was cancelled elsewhere', json({ status: 'interrupted' }), 'was cancelled'],
    ['is not known any more', text('404 Not Found', 404), 'does not know'],
  ])('is not cancelled where it %s', async (_, answer, why) => {
    const { upstream, seen } = await connect({ ...STATE, [RUN]: answer });
    await expect(attach(upstream, { thread: { ...run.thread, wanted: false } }).ended).rejects.toMatchObject({
      code: 'SWB_AGENT_FAILED',
      message: expect.stringContaining(why),
    });
    await until('nothing of it is left to be done', () => seen.includes('DELETE /threads/*'));
    expect(cancels(seen)).toBe(0);
  });

  it.each([
    ['is left at its server where its gateway ended', 'SWB_SHUTTING_DOWN', 0],
    ['is cancelled where its call was', 'SWB_CANCELLED', 1],
  ] as const)('%s before it was looked at', async (_, code, cancelled) => {
    const { url, seen } = await serve({});
    const { log, credentials, guard } = fakeContext({ transport: 'http', url, headers: {} });
    const onRefused = (): void => {};
    const api = new LanggraphApi({
      ...{ name: 'graph', url: new URL(url), credentials, maxReplyBytes: 8_192, guard, sending: undefined, onRefused },
    });
    const more = { after: undefined, pieces: undefined };
    const attached = new AttachedRun({
      api,
      log,
      agent: 'graph-1',
      runId: 'run-1',
      thread: run.thread,
      ...more,
    } as never);
    const call = Object.assign(fakeCall(), { lasting: true });
    call.abort(new SwitchboardError(code, 'It ended.'));
    await expect(attached.follow(call)).rejects.toMatchObject({ code });
    await attached.over();
    expect([attached.isLeft, cancels(seen)]).toEqual([cancelled === 0, cancelled]);
    await api.close();
  });

  it('fails with the words of its server where its events have them', async () => {
    const failing = 'event: error\ndata: {"error":"ValueError","message":"no more"}\nid: 5\n\n';
    const { upstream } = await connect({ [EVENTS]: events(failing), [RUN]: json({ status: 'error' }) });
    await expect(attach(upstream, place).ended).rejects.toMatchObject({
      code: 'SWB_AGENT_FAILED',
      message: "Agent 'graph-1' failed: ValueError: no more",
    });
  });

  it('is left at a server that was lost, to be found when that is back, and cancelled at one that is disconnected', async () => {
    for (const [isLost, cancelled] of [
      [true, 0],
      [false, 1],
    ] as const) {
      const { upstream, seen } = await connect({ [RUN]: json({ status: 'running' }) });
      const { ended } = attach(upstream);
      const failed = ended.catch(codeOf);
      await until('it is looked at', () => seen.includes(RUN));
      if (isLost) (upstream as PolledUpstream).reportDown(new SwitchboardError('SWB_UPSTREAM_UNAVAILABLE', 'refused'));
      await upstream.close();
      expect([isLost, await failed, cancels(seen)]).toEqual([isLost, 'SWB_UPSTREAM_UNAVAILABLE', cancelled]);
    }
  });
});
