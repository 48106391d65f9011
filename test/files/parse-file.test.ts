import { beforeAll, describe, expect, it } from 'vitest';
import { fileKey } from '../../functions/files/file.store.ts';
import {
  type AlertFile,
  READINGS_MAX,
  UPLOAD_LATE_MS,
  UPLOAD_MS,
} from '../../functions/files/file.ts';
import { faultsKey, uploadKey } from '../../functions/files/file-keys.ts';
import { UploadMessage } from '../../functions/files/upload-message.ts';
import { HOUR_MS, MINUTE_MS, SECOND_MS } from '../../functions/shared/units.ts';
import { takeSnapshot } from '../support/invariants/snapshot.ts';
import { FilesHouse, usersFile } from './files-house.ts';
import { Killed } from './killed-worker.ts';

let house: FilesHouse;
beforeAll(async () => {
  house = await FilesHouse.open();
});

async function eventsOf({ tenantId }: AlertFile) {
  const { outbox } = await takeSnapshot(house.world.client, house.world.tables);
  const mine = outbox.filter((it) => it.tenant === tenantId);
  return mine.map((it) => ({ type: it.type, data: JSON.parse(String(it.data)) }));
}

/** [what is wrong, the file, the error]. */
const BROKEN: readonly [string, string, object][] = [
  ['no id column', 'name\nAnn\n', { code: 'no_id_column', row: 0, byte: 0 }],
  ['the id column twice', 'user_id,user_id\n1,2\n', { code: 'id_column_twice', row: 0, byte: 0 }],
  [
    'a quote that never closes, behind 2,000 good rows',
    `${usersFile(2_000)}x,"open\nu2,Bob\n`,
    { code: 'unclosed_quote', row: 2_001, byte: usersFile(2_000).length },
  ],
  [
    'a row longer than a megabyte',
    `user_id,name\nu1,${'x'.repeat(1_100_000)}\n`,
    { code: 'row_too_long', row: 1, byte: 13 },
  ],
];

describe('a broken file', () => {
  it.each(BROKEN)('with %s fails with code, row and byte, and sends nothing', async (...row) => {
    const [, content, error] = row;
    house.received.length = 0;
    const file = await house.upload(await house.addEndpoint(), content);

    const failed = await house.settle(file);

    expect(failed).toMatchObject({ state: 'failed', error, alerts: 0, pending: 0 });
    expect(failed.error?.detail).toMatch(/\.$/);
    expect(house.received).toEqual([]);
    const [event, ...others] = await eventsOf(file);
    expect(others).toEqual([]);
    expect(event).toMatchObject({
      type: 'file.failed',
      data: { fileId: file.id, status: 'failed', error },
    });
  });

  it.each([
    ['shorter', -1],
    ['longer', 1],
  ])('that is %s than announced fails', async (_what, difference) => {
    const content = usersFile(3);
    const bytes = content.length - difference;
    const file = await house.upload(await house.addEndpoint(), content, { bytes });
    const failed = await house.settle(file);
    expect(failed).toMatchObject({ state: 'failed', error: { code: 'size_mismatch' } });
  });

  it('whose parser has no time left fails as too large', async () => {
    const file = await house.upload(await house.addEndpoint(), usersFile(3));
    const message = house.takeMessage();
    const { bucket } = house.doors;
    const read: typeof bucket.read = async (key, range) => {
      house.world.clock.advance(14.6 * MINUTE_MS);
      return bucket.read(key, range);
    };
    if (message) await house.handle(message, { ...house.doors, bucket: { ...bucket, read } });
    expect(await house.find(file)).toMatchObject({
      state: 'failed',
      error: { code: 'file_too_large' },
    });
  });
});

describe('a file whose parser dies', () => {
  /** Lets this many parsers die over the file, and answers the file after the last of them. */
  async function killParsers(count: number): Promise<AlertFile> {
    const file = await house.upload(await house.addEndpoint(), usersFile(3));
    const { bucket } = house.doors;
    const doors = {
      ...house.doors,
      bucket: { ...bucket, read: () => Promise.reject(new Killed()) },
    };
    let deaths = 0;
    for (let now = file; deaths < count; now = await house.find(file)) {
      const message = house.takeMessage();
      if (message) {
        await house.handle(message, doors).catch((error: unknown) => {
          if (error instanceof Killed) deaths += 1;
          else throw error;
        });
        continue;
      }
      house.world.clock.set(Math.max(now.dueMs ?? 0, house.world.clock.nowMs()) + 1);
      await house.sweep(now);
    }
    return file;
  }

  it('is followed by another when its lease is over, though the sweeper is early', async () => {
    const file = await killParsers(1);
    const { clock } = house.world;
    const { leaseMs = 0 } = await house.find(file);
    clock.set(leaseMs - 1_500);
    const { pk, sk } = fileKey({ tenantId: file.tenantId, fileId: file.id });
    await house.handle({ queue: 'file-care', body: { v: 1, pk, sk, dueMs: leaseMs } });
    const [reminder] = house.world.sent.splice(0);
    if (!reminder) throw new Error('no reminder');
    // Queues know whole seconds only, and round them down.
    const aheadMs = (reminder.atMs ?? 0) - clock.nowMs();
    clock.advance(Math.floor(aheadMs / SECOND_MS) * SECOND_MS);
    await house.handle(reminder);
    expect(await house.find(file)).toMatchObject({ state: 'delivering', readings: 2 });
  });

  it('four times is read at last', async () => {
    const file = await killParsers(READINGS_MAX - 1);
    expect(await house.settle(file)).toMatchObject({ state: 'completed', delivered: 3 });
  });

  it('five times fails, says what to do, and sends nothing', async () => {
    house.received.length = 0;
    const file = await killParsers(READINGS_MAX);

    const failed = await house.settle(file);

    const error = { code: 'unreadable', detail: expect.stringContaining('upload it again') };
    expect(failed).toMatchObject({ state: 'failed', error, readings: READINGS_MAX });
    expect(house.received).toEqual([]);
    const [event, ...others] = await eventsOf(file);
    expect(others).toEqual([]);
    expect(event).toMatchObject({ type: 'file.failed', data: { status: 'failed', error } });
  });
});

describe('a file without users', () => {
  it.each(['', '\n\n', 'user_id\n', 'user_id\n\n'])('%j is completed at once', async (content) => {
    const file = await house.upload(await house.addEndpoint(), content);
    const done = await house.settle(file);
    expect(done).toMatchObject({ state: 'completed', rows: 0, alerts: 0 });
    const types = (await eventsOf(file)).map((it) => it.type);
    expect(types.sort()).toEqual(['file.completed', 'file.ready']);
  });

  it('but with malformed rows that may be passed over is completed, and lists them', async () => {
    const terms = { onMalformed: 'skip' } as const;
    const file = await house.upload(await house.addEndpoint(), 'user_id,b\n,1\nx\n', terms);
    const done = await house.settle(file);
    expect(done).toMatchObject({ state: 'completed', rows: 2, alerts: 0, malformed: 2 });
    const list = Buffer.from(house.world.objects.get(faultsKey(done)) ?? []).toString();
    expect(list.replaceAll(/ +\n/g, '\n')).toBe(
      '{"row":1,"byte":10,"code":"id_empty"}\n{"row":2,"byte":13,"code":"column_count"}\n',
    );
  });
});

describe('an upload', () => {
  it('that never comes lets the file expire hours after its form, and tells so', async () => {
    const file = await house.upload(await house.addEndpoint(), 'user_id\n');
    house.world.sent.length = 0;
    house.world.objects.delete(uploadKey(file));

    const expired = await house.settle(file);

    expect(expired.state).toBe('expired');
    const ageMs = house.world.clock.nowMs() - file.createdAtMs;
    expect(ageMs).toBeGreaterThanOrEqual(UPLOAD_MS + UPLOAD_LATE_MS);
    expect(ageMs).toBeLessThan(UPLOAD_MS + UPLOAD_LATE_MS + 3 * MINUTE_MS);
    expect((await eventsOf(file)).map((it) => it.type)).toEqual(['file.expired']);
  });

  it.each([
    ['tells so', true],
    ['tells nobody', false],
  ])('that began in time and ended late is read, when it %s', async (_what, isTold) => {
    const file = await house.upload(await house.addEndpoint(), usersFile(3));
    const late = house.world.sent.splice(0);
    const bytes = house.world.objects.get(uploadKey(file)) ?? new Uint8Array(0);
    house.world.objects.delete(uploadKey(file));
    const { clock } = house.world;
    const lastMs = file.createdAtMs + UPLOAD_MS + UPLOAD_LATE_MS - HOUR_MS;
    for (let now = file; (now.dueMs ?? lastMs) < lastMs; now = await house.find(file)) {
      clock.set(now.dueMs ?? 0);
      await house.sweep(now);
    }
    clock.set(lastMs);
    house.world.objects.set(uploadKey(file), bytes);
    if (isTold) house.world.sent.push(...late);

    expect(await house.settle(file)).toMatchObject({ state: 'completed', delivered: 3 });
  });

  it('that was deleted before it was read may come again by the same form', async () => {
    const file = await house.upload(await house.addEndpoint(), usersFile(3));
    const bytes = house.world.objects.get(uploadKey(file)) ?? new Uint8Array(0);
    house.world.objects.delete(uploadKey(file));
    await house.handleAll();
    expect((await house.find(file)).state).toBe('awaiting_upload');
    house.world.objects.set(uploadKey(file), bytes);

    expect(await house.settle(file)).toMatchObject({ state: 'completed', delivered: 3 });
  });

  it('after the file is at its end changes nothing', async () => {
    house.received.length = 0;
    const file = await house.upload(await house.addEndpoint(), usersFile(2));
    const event = house.world.sent[0];
    await house.settle(file);
    house.world.objects.set(uploadKey(file), Buffer.from(usersFile(5)));
    if (event) await house.handle(event);
    expect(await house.find(file)).toMatchObject({ state: 'completed', alerts: 2 });
    expect(house.received).toHaveLength(2);
  });

  it('with a version is read in that version', async () => {
    const file = await house.upload(await house.addEndpoint(), usersFile(2));
    house.world.sent.length = 0;
    const { bucket } = house.doors;
    const versions: (string | undefined)[] = [];
    const doors = {
      ...house.doors,
      bucket: {
        ...bucket,
        stat: (key: string, version?: string) => {
          versions.push(version);
          return bucket.stat(key);
        },
        read: (key: string, range: { versionId?: string } = {}) => {
          versions.push(range.versionId);
          return bucket.read(key);
        },
      },
    };
    const detail = { object: { key: uploadKey(file), 'version-id': 'v7' } };
    await house.handle({ queue: 'file-events', body: { detail } }, doors);
    expect(versions).toEqual(['v7', 'v7']);
    expect((await house.settle(file)).state).toBe('completed');
  });
});

describe('the message of an upload', () => {
  const key = 'incoming/ten_1/fil_2';
  it.each([
    [{ detail: { object: { key } } }, { tenantId: 'ten_1', fileId: 'fil_2' }],
    [
      { detail: { object: { key, 'version-id': 'v', size: 3 } }, source: 'aws.s3' },
      { tenantId: 'ten_1', fileId: 'fil_2', objectVersion: 'v' },
    ],
    [
      { v: 1, tenant: 'ten_1', file: 'fil_2' },
      { tenantId: 'ten_1', fileId: 'fil_2' },
    ],
    [
      { detail: { object: { key: 'drop/ten_1/users.csv' } } },
      { tenantId: 'ten_1', key: 'drop/ten_1/users.csv', name: 'users.csv' },
    ],
    [{ detail: { object: { key: 'drop/users.csv' } } }, undefined],
    [{ detail: { object: { key: `${key}/more` } } }, undefined],
    [{ detail: { object: { key: `x${key}` } } }, undefined],
  ])('%j is understood as %j', (message, upload) => {
    expect(UploadMessage.parse(message)).toEqual(upload);
  });

  it('about an object that is no upload does nothing', async () => {
    const detail = { object: { key: 'drop/users.csv' } };
    await house.handle({ queue: 'file-events', body: { detail } });
    expect(house.world.lines.at(-1)).toEqual({ event: 'file.parse-skipped' });
  });
});
