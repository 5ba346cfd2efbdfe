import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { type RecordingLog, recordingLog } from '../../../adapters/testing/context.ts';
import { removeTemporaryFolders, temporaryFolder } from '../../config/testing/files.ts';
import type { Entry } from '../../core/upstream.ts';
import type { LockConfig } from '../language/types.ts';
import { openLock } from './lock.ts';
import { lockText, readLockFile, writeLockFile } from './lock-file.ts';
import { pinServer, type ServerPins } from './pins.ts';

afterEach(removeTemporaryFolders);

const CALC = { name: 'calc', builtin: false };
const OTHER = { name: 'other', builtin: false };
const OWN = { name: 'switchboard', builtin: true };

const tool = (name: string, rest: object = {}): Entry => {
  const value = { name, inputSchema: { type: 'object' }, ...rest };
  return { key: name, value, raw: Buffer.from(JSON.stringify(value)) };
};

const pins = (tools: Entry[], instructions?: string): ServerPins =>
  pinServer((kind) => (kind === 'tools' ? tools : []), instructions);

const LOCKED = new Map([['calc', pins([tool('add'), tool('10'), tool('__proto__')], 'Be kind.')]]);

async function locked(mode: LockConfig['mode'], document = LOCKED) {
  const file = join(await temporaryFolder(), 'switchboard.lock.json');
  await writeLockFile(file, document);
  const log = recordingLog();
  const config: LockConfig = { mode, file };
  return { file, log, config, lock: await openLock(config, log) };
}

const messages = ({ lines }: RecordingLog): (string | undefined)[] => lines.map(({ message }) => message);

describe('the lock file', () => {
  it('is stable, sorted and indented, escapes invisible characters, and is read as it was written', async () => {
    const { file } = await locked('off');
    const text = await readFile(file, 'utf8');
    expect(text).toBe(lockText(LOCKED));
    expect(text).toContain(
      '\n          "definition": {\n            "inputSchema": {\n              "type": "object"\n',
    );
    expect(await readLockFile(file)).toEqual(LOCKED);
    expect(lockText((await readLockFile(file)) ?? new Map())).toBe(text);
    const hidden = lockText(new Map([['s', pins([tool('t', { description: 'a\u200b\u202eb\u007f' })])]]));
    expect(hidden).toContain('"description": "a\\u200b\\u202eb\\u007f"');
    expect(await readdir(dirname(file))).toEqual(['switchboard.lock.json']);
  });

  it.each([
    ['nonsense', 'it is no JSON'],
    ['{"servers":[]}', 'it is no lock file'],
    ['{"version":2,"servers":{}}', 'its version is not 1'],
    ['{"version":1,"servers":{"a":{"tools":{"t":{}}}}}', '"a.tools.t" has no hash'],
    [
      '{"version":1,"servers":{"a":{"tools":{"t":{"hash":"sha256-x","definition":{}}}}}}',
      'is not that of its definition',
    ],
  ])('is refused when it is %s', async (text, why) => {
    const file = join(await temporaryFolder(), 'switchboard.lock.json');
    await writeFile(file, text);
    const refused = openLock({ mode: 'warn', file }, recordingLog());
    await expect(refused).rejects.toMatchObject({ code: 'SWB_CONFIG', message: expect.stringContaining(why) });
    await expect(openLock({ mode: 'off', file }, recordingLog())).resolves.toMatchObject({ mode: 'off' });
  });

  it('is required in mode deny, and missed with one warning in mode warn', async () => {
    const file = join(await temporaryFolder(), 'switchboard.lock.json');
    await expect(openLock({ mode: 'deny', file }, recordingLog())).rejects.toMatchObject({
      code: 'SWB_CONFIG',
      message: expect.stringContaining('Run `switchboard lock`'),
    });
    const log = recordingLog();
    const lock = await openLock({ mode: 'warn', file }, log);
    expect(lock.admits(CALC, 'tools', tool('add'))).toBe(true);
    expect(lock.admitsInstructions(CALC, 'anything')).toBe(true);
    expect(messages(log)).toEqual([expect.stringContaining('there is no lock file')]);
  });
});

describe.each(['warn', 'deny'] as const)('mode %s', (mode) => {
  const admitsOthers = mode === 'warn';

  it('admits unchanged entries, and recognises changed ones, new ones and those of unlocked servers', async () => {
    const { lock, log } = await locked(mode);
    for (const name of ['add', '10', '__proto__']) {
      expect(lock.check(CALC, 'tools', tool(name))).toBe('same');
      expect(lock.admits(CALC, 'tools', tool(name))).toBe(true);
    }
    expect(log.lines).toEqual([]);
    expect(lock.check(CALC, 'tools', tool('add', { description: 'x' }))).toBe('changed');
    expect(lock.admits(CALC, 'tools', tool('add', { description: 'x' }))).toBe(admitsOthers);
    expect(lock.check(CALC, 'tools', tool('toString'))).toBe('new');
    expect(lock.admits(CALC, 'tools', tool('toString'))).toBe(admitsOthers);
    expect(lock.check(CALC, 'prompts', tool('add'))).toBe('new');
    expect(lock.check(OTHER, 'tools', tool('add'))).toBe('unlocked-server');
    expect(lock.admits(OTHER, 'tools', tool('add'))).toBe(admitsOthers);
    expect(lock.reaches(OTHER)).toBe(admitsOthers);
    expect(lock.admits(OTHER, 'resources', tool('a://b'))).toBe(admitsOthers);
  });

  it('pins no resources and no builtin tools', async () => {
    const { lock, log } = await locked(mode);
    expect(lock.admits(CALC, 'resources', tool('a://b'))).toBe(true);
    expect(lock.admits(OWN, 'tools', tool('connectServer'))).toBe(true);
    expect(lock.admitsInstructions(OWN, 'anything')).toBe(true);
    expect(lock.reaches(OWN)).toBe(true);
    expect(log.lines).toEqual([]);
  });

  it('compares instructions with the file', async () => {
    const { lock, log } = await locked(mode);
    expect(lock.admitsInstructions(CALC, 'Be kind.')).toBe(true);
    expect(lock.admitsInstructions(CALC, 'Be evil.')).toBe(admitsOthers);
    expect(lock.admitsInstructions(CALC, 'Be evil.')).toBe(admitsOthers);
    expect(lock.admitsInstructions(CALC, 'Be kind.')).toBe(true);
    expect(lock.admitsInstructions(OTHER, 'Be kind.')).toBe(admitsOthers);
    expect(log.lines).toHaveLength(2);
  });

  it('reports each difference once, with the texts', async () => {
    const { lock, log } = await locked(mode);
    const changed = tool('add', { description: 'Adds\u001b[2K' });
    for (const each of [changed, changed, tool('add', { description: 'Adds\u001b[2K' })]) {
      lock.admits(CALC, 'tools', each);
    }
    lock.admits(CALC, 'tools', tool('new'));
    for (const each of ['a', 'b']) lock.admits(OTHER, 'tools', tool(each));
    const consequence = admitsOthers ? '`switchboard lock` accepts it.' : 'It is hidden until';
    expect(messages(log)).toEqual([
      expect.stringContaining(`tool "add" of server "calc" is not as switchboard.lock.json has it. ${consequence}`),
      expect.stringContaining('tool "new" of server "calc" is not in switchboard.lock.json.'),
      expect.stringContaining('Server "other" is not in switchboard.lock.json.'),
    ]);
    expect(messages(log)[0]).toContain('\n  + description: "Adds\\u001b[2K"');
  });

  it('does not fill the log with a server that changed altogether', async () => {
    const { lock, log } = await locked(mode);
    for (let i = 0; i < 1000; i++) lock.admits(CALC, 'tools', tool(`new${i}`));
    expect(log.lines).toHaveLength(50);
    expect(messages(log).at(-1)).toContain('switchboard lock --check');
  });

  it('reads the file again on reload, and keeps the old one when the new one is damaged', async () => {
    const { lock, log, file, config } = await locked(mode);
    const entry = tool('mul');
    expect(lock.admits(CALC, 'tools', entry)).toBe(admitsOthers);
    await writeLockFile(file, new Map([['calc', pins([entry])]]));
    (await lock.prepareReload(config))();
    expect(lock.check(CALC, 'tools', entry)).toBe('same');
    expect(lock.check(CALC, 'tools', tool('add'))).toBe('new');
    await writeFile(file, '{');
    await expect(lock.prepareReload(config)).rejects.toMatchObject({ code: 'SWB_CONFIG' });
    expect(lock.check(CALC, 'tools', entry)).toBe('same');
    await rm(file);
    if (mode === 'deny') await expect(lock.prepareReload(config)).rejects.toMatchObject({ code: 'SWB_CONFIG' });
    (await lock.prepareReload({ ...config, mode: 'off' }))();
    expect(lock.admits(OTHER, 'tools', entry)).toBe(true);
    (await lock.prepareReload({ ...config, mode: 'off' }))();
    expect(log.lines.length).toBeGreaterThan(0);
  });
});
