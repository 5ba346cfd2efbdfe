import { expect, it } from 'vitest';
import { joinTexts, TextJoiner } from './text-joiner.ts';

function joined(speak: (joiner: TextJoiner) => void): string {
  const pieces: string[] = [];
  const joiner = new TextJoiner((piece) => pieces.push(piece));
  speak(joiner);
  joiner.ended();
  return pieces.join('');
}

it('messages of one answer are separated, and pieces of one message are not', () => {
  const text = joined((joiner) => {
    for (const piece of ['Let me ', 'look.']) joiner.piece('1', piece);
    for (const piece of ['It is ', '5.\n']) joiner.piece('2', piece);
    joiner.ended();
    joiner.piece('3', 'Good.');
  });
  expect(text).toBe('Let me look.\n\nIt is 5.\n\nGood.');
});

it('a message that is made at the same time waits for the one being spoken', () => {
  const text = joined((joiner) => {
    joiner.piece('a', 'one ', 'left');
    joiner.piece('b', 'un ', 'right');
    joiner.piece('a', 'two', 'left');
    joiner.piece('b', 'deux', 'right');
  });
  expect(text).toBe('one two\n\nun deux');
});

it('a report stands on a line of its own', () => {
  const text = joined((joiner) => {
    joiner.line('{"tick":1}');
    joiner.piece('a', 'half a ');
    joiner.line('{"tick":2}');
    joiner.piece('a', 'sentence');
  });
  expect(text).toBe('{"tick":1}\n\nhalf a \n{"tick":2}\nsentence');
});

it('another joiner goes on from where one was: in a message, between messages, and behind a report', () => {
  const speak: ((joiner: TextJoiner) => void)[] = [
    (joiner) => joiner.piece('a', 'one ', 'left'),
    (joiner) => joiner.piece('a', 'two', 'left'),
    (joiner) => joiner.line('{"tick":1}'),
    (joiner) => joiner.ended(),
    (joiner) => joiner.piece('b', 'three', 'left'),
    (joiner) => joiner.piece('c', 'four', 'left'),
  ];
  for (let cut = 0; cut <= speak.length; cut++) {
    const pieces: string[] = [];
    const first = new TextJoiner((piece) => pieces.push(piece));
    for (const say of speak.slice(0, cut)) say(first);
    const second = new TextJoiner((piece) => pieces.push(piece), JSON.parse(JSON.stringify(first.place)));
    for (const say of speak.slice(cut)) say(second);
    expect([cut, pieces.join('')]).toEqual([cut, 'one two\n{"tick":1}\n\nthree\n\nfour']);
  }
});

it('no other joiner goes on where text is kept back, or names are too long to be noted', () => {
  const joiner = new TextJoiner(() => {});
  joiner.piece('a', 'one ', 'left');
  joiner.piece('b', 'un ', 'right');
  expect(joiner.place).toBeUndefined();
  joiner.ended();
  expect(joiner.place).toEqual({ task: 'left', tail: 'n ' });
  joiner.piece('x'.repeat(600), 'long', 'left');
  expect(joiner.place).toBeUndefined();
});

it('whole texts are joined without the empty ones', () => {
  expect(joinTexts(['Now. ', '', 'Then.'])).toBe('Now.\n\nThen.');
});
