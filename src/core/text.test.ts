import { describe, expect, it } from 'vitest';
import { head, shorten, shortenTo } from './text.ts';

describe('shorten', () => {
  it('returns a text that is short enough unchanged', () => {
    expect(shorten('abc', 3)).toBe('abc');
    expect(shortenTo('abc', 3)).toBe('abc');
    expect(head('a\ud83d', 2)).toBe('a\ud83d');
  });

  it('keeps the first units and adds an ellipsis, or the end it is given', () => {
    expect(shorten('abcd', 3)).toBe('abc…');
    expect(shorten('abcd', 3, ' (1 more)')).toBe('abc (1 more)');
  });

  it('cuts no surrogate pair in two', () => {
    expect(shorten('ab😀', 3)).toBe('ab…');
    expect(shorten('ab😀c', 4)).toBe('ab😀…');
    expect(head('😀', 1)).toBe('');
  });
});

describe('shortenTo', () => {
  it('counts the ellipsis', () => {
    expect(shortenTo('abcd', 3)).toBe('ab…');
    expect(shortenTo('a😀bc', 3)).toBe('a…');
    expect(shortenTo('abcd', 0)).toBe('…');
  });
});
