import { afterEach, describe, expect, it, vi } from 'vitest';
import { recordingLog } from '../../../adapters/testing/context.ts';
import { memoryState } from '../../state/memory/memory-state.ts';
import type { Bus, BusListener, JsonValue } from '../../state/state.ts';
import { Said } from './said.ts';
import { SharedSaid } from './shared-said.ts';

/** The bus of one process, under several names; `loses` chooses the messages that do not arrive. */
function busesOf(names: readonly string[], loses: (message: JsonValue) => boolean = () => false): Bus[] {
  const listeners = new Map<string, BusListener[]>();
  return names.map((from) => ({
    publish: (topic: string, message: JsonValue) => {
      if (loses(message)) return;
      for (const listener of listeners.get(topic) ?? []) listener(JSON.parse(JSON.stringify(message)), from);
    },
    subscribe: (topic: string, listener: BusListener) => {
      listeners.set(topic, [...(listeners.get(topic) ?? []), listener]);
      return () => void listeners.delete(topic);
    },
    onGap: () => () => {},
  })) as unknown as Bus[];
}

const open: SharedSaid[] = [];
afterEach(() => {
  for (const each of open.splice(0)) each.close();
});

function two(loses?: (message: JsonValue) => boolean): [here: SharedSaid, there: SharedSaid] {
  return named(['here', 'there'], loses) as [SharedSaid, SharedSaid];
}

function named(names: readonly string[], loses?: (message: JsonValue) => boolean): SharedSaid[] {
  const made = busesOf(names, loses).map((bus, i) => new SharedSaid({ bus, replica: String(names[i]) }));
  open.push(...made);
  return made;
}

const heard = (said: Said): string => said.from(0).join('');
const arrives = (check: () => void): Promise<void> => vi.waitFor(check, { timeout: 10_000, interval: 5 });

describe('what a run says', () => {
  it('is heard by another process from its beginning, piece by piece', async () => {
    const [here, there] = two();
    const said = new Said();
    here.reads('run', said);
    for (const piece of ['one ', 'two ']) said.add(piece);
    const hearing = there.hear('run');
    hearing.from('here');
    await hearing.known;
    expect(hearing.said.from(0)).toEqual(['one ', 'two ']);
    said.add('three ');
    await arrives(() => expect(hearing.said.from(2)).toEqual(['three ']));
    said.begin(1);
    said.add('four');
    await arrives(() => expect([hearing.said.section, heard(hearing.said)]).toEqual([1, 'four']));
    expect(hearing.said.isWhole).toBe(true);
    hearing.close();
  });

  it('is sent again where a message is lost, and heard once', async () => {
    let lost = 0;
    const [here, there] = two((message) => JSON.stringify(message).includes('"two"') && lost++ === 0);
    const said = new Said();
    here.reads('run', said);
    const hearing = there.hear('run');
    hearing.from('here');
    await hearing.known;
    said.add('one');
    await arrives(() => expect(heard(hearing.said)).toBe('one'));
    said.add('two');
    await arrives(() => expect(lost).toBe(1));
    said.add('three');
    await arrives(() => expect(heard(hearing.said)).toBe('onetwothree'));
    hearing.close();
  });

  it('is sent again where the first message is lost, and heard on where pieces were dropped before they were sent', async () => {
    let isLost = true;
    const [here, there] = two((message) => isLost && JSON.stringify(message).includes('"pieces"'));
    const said = new Said();
    here.reads('run', said);
    said.add('one ');
    const hearing = there.hear('run');
    hearing.from('here');
    isLost = false;
    said.add('two ');
    await hearing.known;
    expect(heard(hearing.said)).toBe('one two ');
    for (let i = 0; i < 1_100; i++) said.add(`${i} `.padEnd(1_000));
    said.add('last');
    await arrives(() => expect(hearing.said.count).toBe(said.count));
    expect(heard(hearing.said).endsWith('last')).toBe(true);
    expect(hearing.said.isWhole).toBe(false);
    hearing.close();
  });

  it('is heard on from the process that took the run over, which knows of fewer pieces than were heard', async () => {
    const [first, next, third] = named(['first', 'next', 'third']) as [SharedSaid, SharedSaid, SharedSaid];
    const before = new Said();
    first.reads('run', before);
    for (const piece of ['one ', 'two ', 'three ']) before.add(piece);
    const hearing = third.hear('run');
    hearing.from('first');
    await hearing.known;
    expect(hearing.said.count).toBe(3);
    first.close();
    // Of the run that is taken over one piece was noted.
    const after = new Said({ section: 0, first: 100_001, whole: false });
    next.reads('run', after);
    hearing.from('next');
    after.add('four ');
    await arrives(() => expect(hearing.said.next(3)).toEqual({ piece: 'four ', index: 100_001 }));
    hearing.close();
  });

  it('is heard from its beginning by a process that heard it before', async () => {
    let told = 0;
    const [here, there] = two((message) => {
      if (JSON.stringify(message).includes('pieces')) told++;
      return false;
    });
    const said = new Said();
    here.reads('run', said);
    said.add('one ');
    const first = there.hear('run');
    first.from('here');
    await first.known;
    // What is about to be sent to the first is none of the second's.
    said.add('two ');
    first.close();
    const second = there.hear('run');
    await arrives(() => expect(told).toBe(2));
    said.add('three');
    second.from('here');
    await second.known;
    expect(heard(second.said)).toBe('one two three');
    second.close();
  });

  it('is heard in the end although the run is over, and in messages of a bounded size', async () => {
    const sizes: number[] = [];
    const [here, there] = two((message) => {
      sizes.push(JSON.stringify(message).length);
      return false;
    });
    const said = new Said();
    const over = here.reads('run', said);
    for (let i = 0; i < 300; i++) said.add('x'.repeat(1_000));
    over(true);
    const hearing = there.hear('run');
    hearing.from('here');
    await hearing.known;
    expect(heard(hearing.said)).toHaveLength(300_000);
    expect(Math.max(...sizes)).toBeLessThan(100_000);
    hearing.close();
  });

  it('is bounded: the oldest pieces go first, and its readers know', async () => {
    const said = new Said();
    for (let i = 0; i < 3_000; i++) said.add(`${i}`.padEnd(1_000));
    expect(heard(said).length).toBeLessThanOrEqual(1024 * 1024);
    expect(said.count).toBe(3_000);
    expect(said.isWhole).toBe(false);
    expect(said.next(0)?.index).toBe(said.count - said.from(0).length);
    expect(said.next(2_999)?.piece.trim()).toBe('2999');
    const [here, there] = two();
    here.reads('run', said);
    const hearing = there.hear('run');
    hearing.from('here');
    await hearing.known;
    expect([hearing.said.count, hearing.said.isWhole]).toEqual([3_000, false]);
    hearing.close();
  });

  it('is of no other run, and of none that nobody reads', async () => {
    const state = memoryState(recordingLog());
    const alone = new SharedSaid(state);
    open.push(alone);
    const hearing = alone.hear('unknown');
    hearing.from(state.replica);
    const said = new Said();
    alone.reads('run', said);
    said.add('hello');
    const own = alone.hear('run');
    own.from(state.replica);
    await own.known;
    expect([heard(own.said), hearing.said.count]).toEqual(['hello', 0]);
    own.close();
    hearing.close();
  });

  it('is forgotten with the run where no other process can find that', async () => {
    const [here, there] = two();
    for (const [run, isKept] of [
      ['kept', true],
      ['bound', false],
    ] as const) {
      const said = new Said();
      const over = here.reads(run, said);
      said.add(run);
      over(isKept);
    }
    const [kept, bound] = [there.hear('kept'), there.hear('bound')];
    bound.from('here');
    kept.from('here');
    await kept.known;
    expect([heard(kept.said), heard(bound.said)]).toEqual(['kept', '']);
    for (const hearing of [kept, bound]) hearing.close();
  });
});
