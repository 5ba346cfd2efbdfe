import { describe, expect, it } from 'vitest';
import { shortenTo } from '../../core/text.ts';
import { stdioSnippet } from '../serve/banner.ts';
import { resultText } from './result.ts';
import { table } from './table.ts';
import { bytes, oneLine, safeText } from './text.ts';

describe('safeText', () => {
  it.each([
    ['a\u001b[2Jb', 'ab'],
    ['\u001b]0;title\u0007x', 'x'],
    ['tab\tand\nline', 'tab\tand\nline'],
    ['bell\u0007 and \u009b31mcsi', 'bell and csi'],
    ['\rover', 'over'],
    ['pay\u200bment \u202egnp.exe\u2066', 'pay\\u200bment \\u202egnp.exe\\u2066'],
    ['line\u2028end\u{e0041}', 'line\\u2028end\\udb40\\udc41'],
    ['caf\u00e9 \u2764\ufe0f', 'caf\u00e9 \u2764\ufe0f'],
  ])('%j becomes %j', (text, expected) => {
    expect(safeText(text)).toBe(expected);
  });

  it('makes one line of anything', () => {
    expect(oneLine(' a\n\n b\tc ')).toBe('a b c');
    expect(oneLine(undefined)).toBe('');
  });
});

describe('table', () => {
  const columns = [{ title: 'A' }, { title: 'N', align: 'right' as const }, { title: 'TEXT' }];

  it('pads columns to their widest cell, colours not counted', () => {
    const rows = [
      ['a', '1', 'x'],
      ['\u001b[31mlong\u001b[39m', '100', 'y'],
    ];
    expect(table(columns, rows, undefined)).toEqual([
      'A       N  TEXT',
      'a       1  x',
      '\u001b[31mlong\u001b[39m  100  y',
    ]);
  });

  it('cuts the last column to the width of the terminal', () => {
    const [, row] = table(columns, [['a', '1', 'x'.repeat(100)]], 30);
    expect(row).toBe(`a  1  ${'x'.repeat(23)}…`);
    expect(table(columns, [['a', '1', 'x'.repeat(100)]], 10)[1]).toContain('x'.repeat(100));
  });

  it('has no header when no column has a title', () => {
    expect(table([{ title: '' }, { title: '' }], [['a', 'b']], undefined)).toEqual(['a  b']);
  });
});

describe('resultText', () => {
  it('prints text as it is and describes the rest', () => {
    const content = [
      { type: 'text', text: 'hello' },
      { type: 'image', mimeType: 'image/png', data: Buffer.alloc(2048).toString('base64') },
      { type: 'resource_link', name: 'n', uri: 'file:///x' },
      { type: 'resource', resource: { uri: 'u', text: 'inside' } },
      { type: 'resource', resource: { uri: 'u', mimeType: 'a/b', blob: 'AAAA' } },
      { type: 'new-kind' },
    ];
    expect(resultText({ content }).split('\n')).toEqual([
      'hello',
      '[image image/png, 2.0 KiB]',
      '[resource n <file:///x>]',
      'inside',
      '[resource <u> a/b, 3 bytes]',
      '[new-kind]',
    ]);
  });

  it('falls back to structured content, and to nothing', () => {
    expect(resultText({ content: [], structuredContent: { a: 1 } })).toBe('{\n  "a": 1\n}');
    expect(resultText({})).toBe('');
  });
});

describe('text helpers', () => {
  it('counts bytes and cuts text', () => {
    expect([bytes(10), bytes(2048), bytes(3 * 1024 * 1024)]).toEqual(['10 bytes', '2.0 KiB', '3.0 MiB']);
    expect([shortenTo('abc', 3), shortenTo('abcd', 3), shortenTo('abc', 0)]).toEqual(['abc', 'ab…', '…']);
  });

  it('names npx where the program lies in its cache', () => {
    const file = '/x/servers.json';
    const entry = JSON.parse(stdioSnippet('/home/u/.npm/_npx/1/node_modules/agent-switchboard/main.js', { file }));
    expect(entry.mcpServers.switchboard).toEqual({
      command: 'npx',
      args: ['-y', 'agent-switchboard', 'serve', '--stdio', '--config', file],
    });
    const bare = JSON.parse(stdioSnippet('/opt/main.js', { file: undefined }));
    expect(bare.mcpServers.switchboard.args).toEqual(['/opt/main.js', 'serve', '--stdio']);
  });
});
