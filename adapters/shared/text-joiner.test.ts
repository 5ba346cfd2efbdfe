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

it('whole texts are joined without the empty ones', () => {
  expect(joinTexts(['Now. ', '', 'Then.'])).toBe('Now.\n\nThen.');
});
