import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it, vi } from 'vitest';
import type { HookInput } from './contract.ts';
import type { HookOutcome } from './outcome.ts';
import { HookRun } from './run.ts';
import { hookInput, loadedHook, memoryLog, runHooks } from './testing/hooks.ts';

const never = new Promise<undefined>(() => {});
const deny = (reason: string) => () => ({ effect: 'deny' as const, reason });

describe('a run of hooks', () => {
  it('is synchronous when every hook is, and each hook sees the changes of the one before it', () => {
    const seen: unknown[] = [];
    const add = (name: string) =>
      loadedHook(({ args }) => {
        seen.push(args);
        return { effect: 'allow', args: { ...args, [name]: 1 } };
      });
    expect(runHooks([add('a'), loadedHook(() => {}), add('b')], hookInput({ args: { x: 0 } }))).toEqual({
      effect: 'allow',
      changes: { args: { x: 0, a: 1, b: 1 } },
      shadow: [],
    });
    expect(seen).toEqual([{ x: 0 }, { x: 0, a: 1 }]);
  });

  it('ends with the first denial, also after an approval and across a promise', async () => {
    const last = vi.fn();
    const outcome = await runHooks(
      [
        loadedHook(async () => ({ effect: 'approve', reason: 'Sure?' })),
        loadedHook(() => ({ effect: 'deny', reason: ' No. ', rule: '/hours' }), { name: 'hours' }),
        loadedHook(last),
      ],
      hookInput(),
    );
    expect(outcome).toMatchObject({
      effect: 'deny',
      failed: false,
      denial: { code: 'SWB_DENIED', policy: 'hooks', rule: '(hook hours) /hours', reason: 'No.', hidden: false },
    });
    expect(last).not.toHaveBeenCalled();
  });

  it('joins approvals with their time and keeps later changes', () => {
    const outcome = runHooks(
      [
        loadedHook(() => ({ effect: 'approve', reason: 'Costs money.', ttlMs: 60_000 }), { name: 'cost' }),
        loadedHook(() => ({ effect: 'approve', reason: 'Leaves the house.' })),
        loadedHook(() => ({ effect: 'allow', args: { to: 'x' } })),
      ],
      hookInput({ args: {} }),
    );
    expect(outcome).toEqual({
      effect: 'approve',
      need: {
        policy: 'hooks',
        rule: '(hook cost)',
        reason: 'Costs money. Leaves the house.',
        timeoutMs: 60_000,
        approver: 'client',
      },
      changes: { args: { to: 'x' } },
      shadow: [],
    });
  });

  it.each<[string, (input: HookInput) => unknown]>([
    [
      'throws',
      () => {
        throw new Error('secret-value');
      },
    ],
    [
      'rejects',
      async () => {
        throw new Error('secret-value');
      },
    ],
    ['answers nonsense', () => 'secret-value'],
    ['answers an unknown effect', () => ({ effect: 'secret-value' })],
    ['denies without a reason', () => ({ effect: 'deny' })],
    ['brings a result before the call', () => ({ effect: 'allow', result: { text: 'secret-value' } })],
    ['brings what is no JSON', () => ({ effect: 'allow', args: { a: () => 'secret-value' } })],
    [
      'brings an object without end',
      () => {
        const args: Record<string, unknown> = {};
        args.args = args;
        return { effect: 'allow', args };
      },
    ],
    ['brings a class', () => ({ effect: 'allow', args: { at: new Map() } })],
    ['brings a number JSON does not have', () => ({ effect: 'allow', args: { n: Number.NaN } })],
    [
      'changes what it was given',
      ({ args }) => {
        (args as { list: string[] }).list.push('secret-value');
      },
    ],
    [
      'answers a thing that throws when read',
      () => ({
        get effect() {
          throw new Error('secret-value');
        },
      }),
    ],
    ['answers too late', () => never],
    [
      'throws nothing',
      () => {
        throw undefined;
      },
    ],
    [
      'throws an odd name',
      () => {
        throw Object.assign(new Error('x'), { name: 'secret-value' });
      },
    ],
    ['lets approval live for no time', () => ({ effect: 'approve', reason: 'x', ttlMs: -1 })],
  ])('denies when a hook %s, and neither the caller nor the log gets its input', async (_, decide) => {
    const log = memoryLog();
    const input = hookInput({ args: { list: ['secret-value'] } });
    const failing = (onError: 'deny' | 'allow') => loadedHook(decide as never, { name: 'odd', onError, timeoutMs: 20 });
    const denied = await runHooks([failing('deny')], input, log);
    expect(denied).toMatchObject({ effect: 'deny', failed: true, denial: { code: 'SWB_DENIED', rule: '(hook odd)' } });
    const allowed = await runHooks([failing('allow')], input, log);
    expect(allowed).toEqual({ effect: 'allow', changes: undefined, shadow: [] });
    expect(log.lines).toHaveLength(2);
    for (const line of [...log.lines, JSON.stringify(denied)]) expect(line).not.toContain('secret-value');
    expect(log.lines[0]).toMatch(/"hook":"odd","phase":"call.before"/);
    expect(input.args).toEqual({ list: ['secret-value'] });
  });

  it('aborts a hook when its time is up, and ignores what it answers or throws then', async () => {
    let signal: AbortSignal | undefined;
    const { promise, reject } = Promise.withResolvers<undefined>();
    const slow = loadedHook(
      (_, context) => {
        signal = context.signal;
        return promise;
      },
      { timeoutMs: 20 },
    );
    expect(await runHooks([slow], hookInput())).toMatchObject({ effect: 'deny', failed: true });
    expect(signal?.aborted).toBe(true);
    reject(new Error('late'));
    // An unhandled rejection would fail the run of the tests.
    await delay(5);
  });

  it('aborts a hook when the call has ended, and waits no longer', async () => {
    let end: ((reason: Error) => void) | undefined;
    const stop = vi.fn();
    const call = {
      onAbort(listener: (reason: Error) => void) {
        end = listener;
        return stop;
      },
    };
    let signal: AbortSignal | undefined;
    const waiting = loadedHook(
      (_, context) => {
        signal = context.signal;
        return never;
      },
      { timeoutMs: 60_000 },
    );
    const log = memoryLog();
    const outcome = new HookRun([waiting], hookInput(), call, log).go();
    end?.(new Error('cancelled'));
    expect(await outcome).toMatchObject({ effect: 'deny', failed: true });
    expect(signal?.aborted).toBe(true);
    expect(stop).toHaveBeenCalledOnce();
    expect(log.lines).toEqual([]);
  });

  it('only reports what hooks in shadow mode would have decided', async () => {
    const shadow = { mode: 'shadow' as const };
    const seen = vi.fn();
    const outcome = await runHooks(
      [
        loadedHook(deny('No.'), { ...shadow, name: 'a' }),
        loadedHook(async () => ({ effect: 'approve', reason: 'Sure?' }), { ...shadow, name: 'b' }),
        loadedHook(() => ({ effect: 'allow', args: { y: 1 } }), { ...shadow, name: 'c' }),
        loadedHook(
          () => {
            throw new Error('x');
          },
          { ...shadow, name: 'd' },
        ),
        loadedHook(({ args }) => seen(args)),
      ],
      hookInput({ args: { x: 1 } }),
    );
    expect(seen).toHaveBeenCalledWith({ x: 1 });
    expect(outcome).toMatchObject({ effect: 'allow', changes: undefined });
    expect(outcome.shadow).toMatchObject([
      { hook: 'a', effect: 'deny', rule: '(hook a)', reason: 'No.' },
      { hook: 'b', effect: 'approve', reason: 'Sure?' },
      { hook: 'c', effect: 'change', reason: undefined },
      { hook: 'd', effect: 'deny' },
    ]);
  });

  it('accepts narrower results and notifications, never wider ones, and none that grow bit by bit', () => {
    const result = { content: [{ type: 'text', text: 'x'.repeat(10) }] };
    const replaced = (text: string) => ({ effect: 'allow' as const, result: { content: [{ type: 'text', text }] } });
    const input = hookInput({ phase: 'call.after', result });
    expect(runHooks([loadedHook(() => replaced('short'))], input)).toMatchObject({
      changes: { result: { content: [{ text: 'short' }] } },
    });
    expect(runHooks([loadedHook(() => ({ effect: 'allow', result: { ...result, more: 1 } }))], input)).toMatchObject({
      effect: 'deny',
    });
    const grow = loadedHook(({ result: shown }) =>
      replaced(`${(shown as typeof result).content[0]?.text}${'y'.repeat(600)}`),
    );
    expect(runHooks([grow], input)).toMatchObject({ effect: 'allow' });
    expect(runHooks([grow, grow], input)).toMatchObject({ effect: 'deny', failed: true });
    expect(runHooks([loadedHook(() => ({ effect: 'approve', reason: 'x' }))], input)).toMatchObject({ effect: 'deny' });

    const notification = { method: 'notifications/message', params: { level: 'info', data: 'token' } };
    const note = hookInput({ phase: 'notify', notification });
    const params = { level: 'info', data: '<T>' };
    expect(runHooks([loadedHook(() => ({ effect: 'allow', notification: { params } }))], note)).toMatchObject({
      changes: { params },
    });
    const other = { method: 'notifications/cancelled', params };
    expect(runHooks([loadedHook(() => ({ effect: 'allow', notification: other }))], note)).toMatchObject({
      effect: 'deny',
    });
    const empty = hookInput({ phase: 'notify', notification: { method: 'x' } });
    expect(runHooks([loadedHook(() => ({ effect: 'allow', notification: { params } }))], empty)).toMatchObject({
      effect: 'deny',
    });
  });

  it('keeps members called __proto__', () => {
    const args = JSON.parse('{"__proto__":{"admin":true},"constructor":1}');
    let seen: unknown;
    const outcome = runHooks(
      [
        loadedHook((input) => {
          seen = input.args;
          return { effect: 'allow', args: { ...input.args } };
        }),
      ],
      hookInput({ args }),
    ) as Extract<HookOutcome, { effect: 'allow' }>;
    expect(JSON.stringify(seen)).toBe(JSON.stringify(args));
    expect(JSON.stringify(outcome.changes?.args)).toBe(JSON.stringify(args));
    expect(outcome.changes?.args?.admin).toBeUndefined();
  });

  it('shows the URL of a connection without credentials', () => {
    let seen: string | undefined;
    const url = 'https://user:pass@api.example.com:8443/mcp?key=1#x';
    runHooks(
      [
        loadedHook((input) => {
          seen = input.url;
        }),
      ],
      hookInput({ phase: 'upstream.connect', url }),
    );
    expect(seen).toBe('https://api.example.com:8443/mcp');
  });

  it('logs a hook that blocks the process', () => {
    const log = memoryLog();
    const busy = loadedHook(() => {
      const until = performance.now() + 120;
      while (performance.now() < until);
    });
    expect(runHooks([busy], hookInput(), log)).toMatchObject({ effect: 'allow' });
    expect(log.lines).toEqual([expect.stringContaining('held up')]);
  });
});
