import {
  type FileHandle,
  mkdir,
  open,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { recordingLog } from '../../../adapters/testing/context.ts';
import { removeTemporaryFolders, temporaryFolder } from '../../config/testing/files.ts';
import { AUDIT_TIMING, openAuditFile } from './file-log.ts';
import { auditRecord } from './testing/records.ts';

const QUICK = { ...AUDIT_TIMING, flushMs: 5, retryMs: 20 };

const logs: { close(): Promise<void> }[] = [];

afterEach(async () => {
  vi.restoreAllMocks();
  for (const audit of logs.splice(0)) await audit.close();
  await removeTemporaryFolders();
});

interface Options {
  maxBytes?: number;
  keep?: number;
  timing?: typeof QUICK;
}

async function opened({ maxBytes = 1_000_000, keep = 2, timing = QUICK }: Options = {}, path = 'audit.jsonl') {
  const folder = await temporaryFolder();
  const file = join(folder, path);
  const log = recordingLog();
  const audit = openAuditFile({ file, maxBytes, keep }, log, timing);
  logs.push(audit);
  return { folder, file, log, audit };
}

const linesOf = async (file: string): Promise<Record<string, unknown>[]> =>
  (await readFile(file, 'utf8').catch(() => ''))
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));

const idsIn = async (file: string): Promise<unknown[]> => (await linesOf(file)).map(({ requestId }) => requestId);

const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i);

describe('the audit in a file', () => {
  it('appends lines soon, for the owner only, into a folder it makes', async () => {
    const { file, audit } = await opened({}, 'deep/er/audit.jsonl');
    audit.write(auditRecord({ requestId: 'one' }));
    await expect.poll(() => linesOf(file)).toMatchObject([{ requestId: 'one', outcome: 'ok' }]);
    audit.write(auditRecord({ requestId: 'two' }));
    await expect.poll(() => idsIn(file)).toEqual(['one', 'two']);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    await expect.poll(() => audit.counters).toEqual({ written: 2, dropped: 0, failures: 0 });
  });

  it('goes on in a file that is there', async () => {
    const { file, audit } = await opened();
    await writeFile(file, '{"requestId":"before"}\n');
    audit.write(auditRecord({ requestId: 'after' }));
    await audit.close();
    expect(await idsIn(file)).toEqual(['before', 'after']);
  });

  it('touches the file once for many records, and at 64 KiB without waiting', async () => {
    const { file, audit } = await opened({ timing: { ...QUICK, flushMs: 600_000 } });
    const probe = await open(`${file}.probe`, 'w');
    const write = vi.spyOn(Object.getPrototypeOf(probe) as FileHandle, 'write');
    await probe.close();
    for (const id of range(0, 400)) audit.write(auditRecord({ requestId: id }));
    await expect.poll(() => write.mock.calls.length).toBeGreaterThan(0);
    await audit.close();
    expect(write.mock.calls.length).toBeLessThan(5);
    expect(await idsIn(file)).toEqual(range(0, 400));
  });

  it('loses nothing at close, and counts what comes later', async () => {
    const { file, audit } = await opened({ timing: AUDIT_TIMING });
    for (const id of range(0, 3000)) audit.write(auditRecord({ requestId: id }));
    await audit.close();
    audit.write(auditRecord());
    expect(await idsIn(file)).toEqual(range(0, 3000));
    expect(audit.counters).toEqual({ written: 3000, dropped: 1, failures: 0 });
  });

  it('moves the file aside by size and keeps as many as it is told', async () => {
    const { folder, file, audit } = await opened({ maxBytes: 2000, keep: 2 });
    for (const id of range(0, 40)) {
      audit.write(auditRecord({ requestId: id }));
      await expect.poll(() => audit.counters.written, { interval: 2 }).toBe(id + 1);
    }
    expect((await readdir(folder)).sort()).toEqual(['audit.1.jsonl', 'audit.2.jsonl', 'audit.jsonl']);
    const ids = [];
    for (const name of ['audit.2.jsonl', 'audit.1.jsonl', 'audit.jsonl']) {
      expect((await stat(join(folder, name))).size).toBeLessThanOrEqual(2000);
      ids.push(...(await idsIn(join(folder, name))));
    }
    expect(ids).toEqual(range(40 - ids.length, 40));
    expect(await idsIn(file)).toContain(39);
  });

  it('keeps no file but its own with keep 0', async () => {
    const { folder, file, audit } = await opened({ maxBytes: 400, keep: 0 });
    for (const id of range(0, 5)) {
      audit.write(auditRecord({ requestId: id }));
      await expect.poll(() => audit.counters.written).toBe(id + 1);
    }
    expect(await readdir(folder)).toEqual(['audit.jsonl']);
    expect(await idsIn(file)).toEqual([4]);
  });

  it.each([
    ['moved away', (file: string) => rename(file, `${file}.old`)],
    ['deleted', (file: string) => rm(file)],
  ])('opens a new file when its own was %s', async (_, move) => {
    const { file, audit, log } = await opened();
    audit.write(auditRecord({ requestId: 'before' }));
    await expect.poll(() => idsIn(file)).toEqual(['before']);
    await move(file);
    await expect
      .poll(async () => {
        audit.write(auditRecord({ requestId: 'after' }));
        return (await idsIn(file)).at(-1);
      })
      .toBe('after');
    expect(log.lines).toEqual([]);
  });

  it('says once that the disk is full, keeps what it can, and counts the rest in a line when it works again', async () => {
    const { file, audit, log } = await opened({ timing: { ...QUICK, maxWaiting: 3000 } });
    await symlink('/dev/full', file);
    audit.write(auditRecord({ requestId: 0 }));
    await expect.poll(() => audit.counters.failures).toBeGreaterThan(2);
    for (const id of range(1, 100)) audit.write(auditRecord({ requestId: id }));
    const { dropped } = audit.counters;
    expect(dropped).toBeGreaterThan(80);
    expect(log.lines).toMatchObject([{ level: 'error', fields: { err: { code: 'ENOSPC' } } }]);
    await rm(file);
    await expect.poll(() => linesOf(file)).toHaveLength(100 - dropped + 1);
    const lines = await linesOf(file);
    expect(lines.slice(0, -1).map(({ requestId }) => requestId)).toEqual(range(0, 100 - dropped));
    expect(lines.at(-1)).toEqual({
      ...{ time: expect.any(String), dropped, since: expect.any(String) },
      principals: { ci: dropped },
    });
    await expect.poll(() => log.lines).toMatchObject([{ level: 'error' }, { level: 'info' }]);
    audit.write(auditRecord({ requestId: 'next' }));
    await expect.poll(() => idsIn(file)).toContain('next');
    expect(log.lines).toHaveLength(2);
  });

  it('loses no record of others for those of a principal that makes thousands while the disk is full', async () => {
    const { file, audit } = await opened({ timing: { ...QUICK, maxWaiting: 20_000 } });
    await symlink('/dev/full', file);
    for (const id of range(0, 1_000)) audit.write(auditRecord({ principal: 'greedy', requestId: id }));
    for (const id of range(0, 9)) audit.write(auditRecord({ principal: `other ${id}`, requestId: `modest ${id}` }));
    await expect.poll(() => audit.counters.failures).toBeGreaterThan(0);
    const { dropped } = audit.counters;
    expect(dropped).toBeGreaterThan(900);
    await rm(file);
    await expect.poll(() => linesOf(file)).toHaveLength(1_009 - dropped + 1);
    expect((await idsIn(file)).filter((id) => String(id).startsWith('modest'))).toHaveLength(9);
    expect((await linesOf(file)).at(-1)).toMatchObject({ dropped, principals: { greedy: dropped } });
  });

  it('writes a line again that a full disk cut in two', async () => {
    const { file, audit } = await opened();
    const probe = await open(`${file}.probe`, 'w');
    const prototype = Object.getPrototypeOf(probe) as FileHandle;
    await probe.close();
    const real = prototype.write;
    let calls = 0;
    vi.spyOn(prototype, 'write').mockImplementation(async function (this: FileHandle, ...args: unknown[]) {
      const write = real as unknown as (...args: unknown[]) => Promise<{ bytesWritten: number; buffer: Buffer }>;
      // One and a half lines fit.
      if (++calls === 1) return write.call(this, args[0], 0, Math.floor((args[0] as Buffer).length / 2));
      if (calls === 2) throw Object.assign(new Error('no space'), { code: 'ENOSPC' });
      return write.call(this, ...args);
    } as never);
    for (const id of range(0, 3)) audit.write(auditRecord({ requestId: id }));
    await expect.poll(() => audit.counters.written).toBe(3);
    const lines = (await readFile(file, 'utf8')).trimEnd().split('\n');
    expect(lines).toHaveLength(4);
    const isJson = (line: string): boolean => line.endsWith('}');
    expect(lines.map(isJson)).toEqual([true, false, true, true]);
    expect(lines.filter(isJson).map((line) => JSON.parse(line).requestId)).toEqual([0, 1, 2]);
  });

  it('fails no call when its place is taken by a folder, and ends in time', async () => {
    const { file, audit, log } = await opened();
    await mkdir(file);
    for (const id of range(0, 10)) audit.write(auditRecord({ requestId: id }));
    await expect.poll(() => audit.counters.failures).toBeGreaterThan(0);
    await audit.close();
    expect(audit.counters).toMatchObject({ written: 0, dropped: 10 });
    expect(log.lines).toMatchObject([{ fields: { err: { code: 'EISDIR' } } }, { fields: { records: 10 } }]);
  });

  it('does not wait at close for a disk that does not answer, and lets go of the file once it does', async () => {
    const { file, audit, log } = await opened({ timing: { ...QUICK, closeMs: 50, maxWaiting: 1000 } });
    const probe = await open(`${file}.probe`, 'w');
    const late = Promise.withResolvers<never>();
    const write = vi.spyOn(Object.getPrototypeOf(probe) as FileHandle, 'write').mockReturnValue(late.promise);
    await probe.close();
    audit.write(auditRecord());
    await expect.poll(() => write.mock.calls.length).toBe(1);
    for (const id of range(0, 10)) audit.write(auditRecord({ requestId: id }));
    expect(log.lines).toMatchObject([{ fields: { reason: 'The disk is too slow.' } }]);
    await audit.close();
    expect(audit.counters.dropped).toBe(11);
    const [handle] = write.mock.contexts as FileHandle[];
    write.mockRestore();
    late.reject(Object.assign(new Error('The disk is gone.'), { code: 'EIO' }));
    await expect.poll(() => handle?.fd).toBe(-1);
  });
});
