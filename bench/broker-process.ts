/**
 * Child process of the broker rows: the server of a form, or callers that talk to it without the gateway.
 * @module
 */
import { type BrokerFormName, type EchoCall, formOf } from './broker-forms.ts';
import { serveParent } from './child.ts';
import { SMALL_TEXT } from './messages.ts';
import { percentile } from './statistics.ts';

export type BrokerRequest =
  | { kind: 'serve'; form: BrokerFormName; url: string }
  | { kind: 'call'; form: BrokerFormName; url: string; callers: number; calls: number };

export type BrokerReply = { ok: true; perSecond: number; p50: number; p99: number } | { ok: false; error: string };

const SERVED: BrokerReply = { ok: true, perSecond: 0, p50: 0, p99: 0 };
const WARMUP_CALLS = 500;

let call: { url: string; echo: EchoCall } | undefined;

async function measure({ form, url, callers, calls }: BrokerRequest & { kind: 'call' }): Promise<BrokerReply> {
  if (call?.url !== url) call = { url, echo: await formOf(form).connect(url) };
  const { echo } = call;
  const run = async (count: number): Promise<number[]> => {
    const latencies: number[] = [];
    let left = count;
    const caller = async (): Promise<void> => {
      while (left-- > 0) {
        const start = performance.now();
        const text = await echo(SMALL_TEXT);
        latencies.push(performance.now() - start);
        if (text !== SMALL_TEXT) throw new Error(`the text differs from what was sent: ${text}`);
      }
    };
    await Promise.all(Array.from({ length: callers }, caller));
    return latencies;
  };
  await run(WARMUP_CALLS);
  const started = performance.now();
  const latencies = (await run(calls)).sort((a, b) => a - b);
  const seconds = (performance.now() - started) / 1_000;
  return {
    ok: true,
    perSecond: latencies.length / seconds,
    p50: percentile(latencies, 0.5),
    p99: percentile(latencies, 0.99),
  };
}

serveParent(async (request: BrokerRequest): Promise<BrokerReply> => {
  try {
    if (request.kind === 'call') return await measure(request);
    await formOf(request.form).serve(request.url);
    return SERVED;
  } catch (error) {
    return { ok: false, error: (error as Error).message };
  }
});
