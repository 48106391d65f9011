import { beforeEach, describe, expect, it } from 'vitest';
import { findBlocks, saveReopened } from '../../functions/files/block.store.ts';
import { placesToResend, withReopened } from '../../functions/files/block.ts';
import { cancel, pause, release, resume, retry } from '../../functions/files/change-state.ts';
import { File } from '../../functions/files/file.contract.ts';
import type { AlertFile, FileDraft, FileState } from '../../functions/files/file.ts';
import { uploadKey } from '../../functions/files/file-keys.ts';
import { getFile } from '../../functions/files/get-file.ts';
import { Problem } from '../../functions/shared/problem.ts';
import { DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS } from '../../functions/shared/units.ts';
import type { Endpoint } from '../../functions/webhooks/endpoint.ts';
import { checkFiles } from '../support/invariants/files.ts';
import { takeSnapshot } from '../support/invariants/snapshot.ts';
import { FilesHouse, usersFile } from './files-house.ts';

let house: FilesHouse;
beforeEach(async () => {
  house = await FilesHouse.open();
});

const ACTIONS = { pause, resume, release, cancel, retry };

async function act(verb: keyof typeof ACTIONS, file: AlertFile) {
  const { body } = await house.act(ACTIONS[verb], file);
  return body as { status: string; retried?: number } & Record<string, unknown>;
}

const read = async (file: AlertFile) => File.parse((await house.act(getFile, file)).body);

async function codeOf(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => 'done',
    (error: unknown) => (error instanceof Problem ? error.code : String(error)),
  );
}

async function typesOf({ tenantId }: AlertFile): Promise<string[]> {
  const { outbox } = await takeSnapshot(house.world.client, house.world.tables);
  return outbox.filter((it) => it.tenant === tenantId).map((it) => String(it.type));
}

async function violations(): Promise<string[]> {
  return checkFiles(await takeSnapshot(house.world.client, house.world.tables));
}

/** Does the work of the messages whose time has come, and of those that follow at once. */
async function work(rounds = 1): Promise<void> {
  for (let n = 0; n < rounds; n += 1) await house.handleAll();
}

/** A file that is read, and whose first blocks are about to begin. */
async function parsed(given: Partial<FileDraft> = {}, endpoint?: Endpoint, users = 60) {
  const file = await house.upload(endpoint ?? (await house.addEndpoint()), usersFile(users), given);
  await work();
  return file;
}

describe('a file that waits for a person', () => {
  it('is ready until it is released, when that is wanted by hand', async () => {
    const file = await parsed({ release: 'manual' });
    expect(await read(file)).toMatchObject({ status: 'ready', alerts: 60, pending: 60 });
    house.world.clock.advance(HOUR_MS);
    await work();
    expect(house.received).toEqual([]);

    expect((await act('release', file)).status).toBe('delivering');
    expect(await house.settle(file)).toMatchObject({ state: 'completed', delivered: 60 });
    const types = ['file.ready', 'file.released', 'file.completed'];
    expect((await typesOf(file)).sort()).toEqual(types.sort());
  });

  it('has too many malformed rows, and is sent without them when it is released', async () => {
    const content = 'user_id,n\nu1,1\nu2,2\n,3\nu4,4\n';
    const file = await house.upload(await house.addEndpoint(), content);
    await work();
    expect(await read(file)).toMatchObject({
      status: 'needs_approval',
      reason: 'too_many_malformed',
      malformed: 1,
    });
    await act('release', file);
    expect(await house.settle(file)).toMatchObject({ state: 'completed', delivered: 3 });
    expect(await typesOf(file)).toContain('file.needs_approval');
  });

  it('has nothing but malformed rows, and ends when it is released nevertheless', async () => {
    const file = await house.upload(await house.addEndpoint(), 'user_id,n\n,1\n,2\n');
    await work();
    expect(await read(file)).toMatchObject({ status: 'needs_approval', malformed: 2, alerts: 0 });
    expect((await act('release', file)).status).toBe('completed');
    const types = ['file.needs_approval', 'file.completed'];
    expect((await typesOf(file)).sort()).toEqual(types.sort());
  });

  it.each([
    [{ onMalformed: 'skip' as const }, 'delivering'],
    [{ maxMalformedShare: 0.25 }, 'delivering'],
    [{ maxMalformedShare: 0.24 }, 'needs_approval'],
  ])('with a quarter of its rows malformed and %j is %s', async (given, state) => {
    const content = 'user_id,n\nu1,1\nu2,2\n,3\nu4,4\n';
    const file = await house.upload(await house.addEndpoint(), content, given);
    await work();
    expect((await house.find(file)).state).toBe(state);
  });

  it('is cancelled four weeks after it was read, also when it is paused by then', async () => {
    const file = await parsed({ release: 'manual' });
    house.world.clock.advance(27 * DAY_MS);
    await act('release', file);
    await act('pause', file);
    house.world.clock.advance(DAY_MS + HOUR_MS);
    await house.sweep(await house.find(file));
    await house.settle(file);
    expect(await read(file)).toMatchObject({ status: 'cancelled', reason: 'too_old' });
  });

  it('for four weeks is cancelled, with the reason', async () => {
    const file = await parsed({ release: 'manual' });
    house.world.clock.advance(28 * DAY_MS + HOUR_MS);
    await house.sweep(await house.find(file));
    expect(await house.find(file)).toMatchObject({
      state: 'cancelled',
      reason: 'too_old',
      cancelled: 60,
    });
  });
});

describe('the same bytes', () => {
  const repeat = (endpoint: Endpoint, given: Partial<FileDraft> = {}) =>
    house.upload(endpoint, usersFile(5), given).then(async (file) => {
      await work();
      return house.find(file);
    });

  it('to the same endpoint within a day need approval', async () => {
    const endpoint = await house.addEndpoint();
    expect((await repeat(endpoint)).state).toBe('delivering');
    const again = await repeat(endpoint);
    expect(again).toMatchObject({ state: 'needs_approval', reason: 'same_content' });
    await act('release', again);
    expect(await house.settle(again)).toMatchObject({ state: 'completed', delivered: 5 });
  });

  it.each([
    ['a day later', DAY_MS, {}],
    ['that may repeat', 0, { allowRepeat: true }],
  ])('%s go out', async (_what, laterMs, given) => {
    const endpoint = await house.addEndpoint();
    await repeat(endpoint);
    house.world.clock.advance(laterMs);
    expect((await repeat(endpoint, given)).state).toBe('delivering');
  });

  it('that were released within a day need approval, however long ago they were read', async () => {
    const endpoint = await house.addEndpoint();
    const { clock } = house.world;
    await repeat(endpoint);
    clock.advance(23 * HOUR_MS);
    await act('release', await repeat(endpoint));
    clock.advance(2 * HOUR_MS);
    const third = await repeat(endpoint);
    expect(third).toMatchObject({ state: 'needs_approval', reason: 'same_content' });
    await act('cancel', third);
    clock.advance(22 * HOUR_MS);
    const byHand = await repeat(endpoint, { release: 'manual' });
    expect(byHand.state).toBe('ready');
    clock.advance(30 * HOUR_MS);
    await act('release', byHand);
    expect((await repeat(endpoint)).state).toBe('needs_approval');
  });

  it('to another endpoint go out, and so do other bytes', async () => {
    const endpoint = await house.addEndpoint();
    await repeat(endpoint);
    const other = await house.addEndpoint({ tenantId: endpoint.tenantId });
    expect((await repeat(other)).state).toBe('delivering');
    const file = await house.upload(endpoint, usersFile(6));
    await work();
    expect((await house.find(file)).state).toBe('delivering');
  });

  it('that are read twice after a crash are no repeat of themselves', async () => {
    const file = await house.upload(await house.addEndpoint(), usersFile(5));
    const [message] = house.world.sent;
    await work();
    if (message) await house.handle(message);
    expect(await house.settle(file)).toMatchObject({ state: 'completed', delivered: 5 });
  });
});

describe('a pause', () => {
  it('takes effect within one batch, and nobody is missed or alerted twice after it', async () => {
    const file = await parsed({}, undefined, 1_500);
    const { http } = house.doors;
    let paused = false;
    const post: typeof http.post = async (request) => {
      if (house.received.length >= 100 && !paused) {
        paused = true;
        await act('pause', file);
      }
      return http.post(request);
    };
    const [block] = house.world.sent.splice(0);
    if (block) await house.handle(block, { ...house.doors, http: { ...http, post } });
    expect(house.received.length).toBeLessThanOrEqual(125);
    expect(await read(file)).toMatchObject({
      status: 'paused',
      delivered: house.received.length,
      pending: 1_500 - house.received.length,
    });

    expect((await act('resume', file)).status).toBe('delivering');
    expect(await house.settle(file)).toMatchObject({ state: 'completed', delivered: 1_500 });
    expect(house.received).toHaveLength(1_500);
    expect(await violations()).toEqual([]);
    expect(await typesOf(file)).toEqual(expect.arrayContaining(['file.paused', 'file.resumed']));
  });

  it('lets retries go on, and completes the file with the last of them', async () => {
    house.reply = (userId, nth) => (userId === 'u1' && nth === 1 ? 500 : 200);
    const file = await parsed({}, undefined, 3);
    await work();
    await act('pause', file);
    expect(await house.settle(file)).toMatchObject({ state: 'completed', delivered: 3 });
  });
});

describe('a cancelled file', () => {
  it('leaves whom it has not reached cancelled, and its counts add up', async () => {
    const endpoint = await house.addEndpoint({ perSecond: 20 });
    const file = await parsed({}, endpoint, 2_500);
    await work();
    const answer = await act('cancel', file);
    expect(answer.status).toBe('cancelled');

    const done = await house.settle(file);

    expect(done).toMatchObject({ state: 'cancelled', pending: 0 });
    expect(done.delivered).toBe(house.received.length);
    expect(done.delivered).toBeGreaterThan(0);
    expect(done.cancelled).toBe(2_500 - done.delivered);
    expect((await typesOf(file)).filter((it) => it === 'file.cancelled')).toHaveLength(1);
    expect(await violations()).toEqual([]);
  });

  it('before anybody was alerted has nobody pending at once', async () => {
    const file = await parsed({ release: 'manual' });
    expect(await act('cancel', file)).toMatchObject({ cancelled: 60, pending: 0 });
    expect(await typesOf(file)).toContain('file.cancelled');
    expect((await house.find(file)).dueMs).toBeUndefined();
  });

  it('waits for the retries that are under way', async () => {
    house.reply = (userId, nth) => (userId === 'u1' && nth < 3 ? 500 : 200);
    const file = await parsed({}, undefined, 40);
    await work();
    const second = await house.upload(await house.addEndpoint(), usersFile(1_100));
    await work(1);
    await act('cancel', second);
    expect(await house.settle(second)).toMatchObject({ state: 'cancelled', pending: 0 });
    expect(await house.settle(file)).toMatchObject({ state: 'completed', delivered: 40 });
    expect(await violations()).toEqual([]);
  });

  it('never reads its upload', async () => {
    const file = await house.upload(await house.addEndpoint(), usersFile(5));
    await act('cancel', file);
    await work(3);
    expect(house.received).toEqual([]);
    expect(await house.find(file)).toMatchObject({ state: 'cancelled', alerts: 0 });
  });
});

describe('a retry', () => {
  it('sends again to those who failed or are uncertain, under the same ids', async () => {
    const endpoint = await house.addEndpoint({ onUnknown: 'stop', retry: { maxAttempts: 1 } });
    house.reply = (userId) => {
      if (userId === 'u3') return 'hangs';
      return userId === 'u5' || userId === 'u7' ? 500 : 200;
    };
    const file = await parsed({}, endpoint, 30);
    expect(await house.settle(file)).toMatchObject({ failed: 2, uncertain: 1, delivered: 27 });
    const before = new Map(house.received.map((it) => [it.userId, it.eventId]));
    house.received.length = 0;
    house.reply = () => 200;

    const answer = await act('retry', file);

    expect(answer).toMatchObject({ status: 'delivering', retried: 3 });
    const done = await house.settle(file);
    expect(done).toMatchObject({ state: 'completed', delivered: 30, failed: 0, uncertain: 0 });
    expect(house.received.map((it) => it.userId).sort()).toEqual(['u3', 'u5', 'u7']);
    for (const { userId, eventId } of house.received) expect(eventId).toBe(before.get(userId));
    expect(house.received.find((it) => it.userId === 'u3')?.possibleDuplicate).toBe(true);
    expect(await violations()).toEqual([]);
  });

  it('of those who fail once more is counted again', async () => {
    const endpoint = await house.addEndpoint({ retry: { maxAttempts: 1 } });
    house.reply = (userId) => (userId === 'u1' ? 500 : 200);
    const file = await parsed({}, endpoint, 3);
    await house.settle(file);
    await act('retry', file);
    expect(await house.settle(file)).toMatchObject({ state: 'completed', failed: 1, delivered: 2 });
    expect(house.copies().get('u1')).toBe(2);
    expect(await violations()).toEqual([]);
  });

  it('reads a file again that could not be read', async () => {
    const file = await house.upload(await house.addEndpoint(), 'name\nAnn\n');
    expect((await house.settle(file)).state).toBe('failed');
    expect(await act('retry', file)).toMatchObject({ status: 'parsing', retried: 0 });
    expect(await house.settle(file)).toMatchObject({ state: 'failed', readings: 2 });
  });

  it('of a file whose upload is gone fails it again', async () => {
    const file = await house.upload(await house.addEndpoint(), 'name\nAnn\n');
    await house.settle(file);
    house.world.objects.delete(uploadKey(file));
    await act('retry', file);
    const failed = await house.settle(file);
    expect(failed).toMatchObject({ state: 'failed', error: { code: 'not_found' } });
    expect(await typesOf(file)).toEqual(['file.failed', 'file.failed']);
  });

  it('of a file that reached everybody is refused', async () => {
    const file = await parsed({}, undefined, 3);
    await house.settle(file);
    expect(await codeOf(act('retry', file))).toBe('not_retryable');
  });

  it('of a file under way leaves whom its blocks have not counted yet to their end', async () => {
    const endpoint = await house.addEndpoint({
      ...{ onUnknown: 'stop', retry: { maxAttempts: 1 }, perSecond: 0.5 },
    });
    house.reply = (userId, nth) => {
      if (nth > 1) return 200;
      if (userId === 'u1') return 'hangs';
      return userId === 'u2' ? 500 : 200;
    };
    const file = await parsed({}, endpoint, 12);
    const { clock } = house.world;
    for (let n = 0; n < 100 && (await house.find(file)).failed === 0; n += 1) {
      await house.handleAll();
      clock.advance(SECOND_MS);
    }
    // The block rests between two slots, and has not counted the one of whom nobody knows.
    expect(await house.find(file)).toMatchObject({ state: 'delivering', failed: 1, uncertain: 0 });
    expect(await act('retry', file)).toMatchObject({ retried: 1 });
    const done = await house.settle(file);
    expect(done).toMatchObject({ state: 'completed', delivered: 11, failed: 0, uncertain: 1 });
    expect(done.pending).toBe(0);
    expect(await violations()).toEqual([]);
  });

  it('does not undo what the worker of a block has stored meanwhile', async () => {
    const endpoint = await house.addEndpoint({ retry: { maxAttempts: 1 }, perSecond: 0.5 });
    house.reply = () => 500;
    const file = await parsed({}, endpoint, 12);
    const name = { tenantId: file.tenantId, fileId: file.id };
    const resting = async (failed: number) => {
      for (let n = 0; n < 100 && (await house.find(file)).failed < failed; n += 1) {
        await house.handleAll();
        house.world.clock.advance(SECOND_MS);
      }
      const [block] = await findBlocks(house.world.db, name, { from: 0, to: 1 }).then((it) => [
        ...it.values(),
      ]);
      if (!block) throw new Error('no block');
      return { ...block, settled: { ...block.settled } };
    };
    const seen = await resting(1);
    const now = await resting(2);
    expect([seen.token, now.token, now.finished]).toEqual([undefined, undefined, false]);
    // As if the first outcomes alone had been read anew.
    const stale = { ...seen, settled: { ...seen.settled, version: now.settled.version } };
    const { block } = withReopened(stale, placesToResend(stale, 1), 1);
    const commit = await house.world.db.commit([saveReopened(file, stale, block)]);
    expect(commit.ok).toBe(false);
    const again = withReopened(now, placesToResend(now, 1), 1);
    expect((await house.world.db.commit([saveReopened(file, now, again.block)])).ok).toBe(true);
  });

  it('of a file whose alerts are not kept any more is refused', async () => {
    const endpoint = await house.addEndpoint({ retry: { maxAttempts: 1 } });
    house.reply = (userId) => (userId === 'u1' ? 500 : 200);
    const file = await parsed({ release: 'manual' }, endpoint, 3);
    house.world.clock.advance(27 * DAY_MS);
    await act('release', file);
    await house.settle(file);
    house.world.clock.advance(2 * DAY_MS);
    expect(await codeOf(act('retry', file))).toBe('not_retryable');
  });
});

it('a change is told with the counts of the blocks that are under way', async () => {
  const file = await parsed({}, await house.addEndpoint({ perSecond: 0.5 }), 12);
  for (let seconds = 0; seconds < 10; seconds += 1) {
    await house.handleAll();
    house.world.clock.advance(SECOND_MS);
  }
  expect((await house.find(file)).delivered).toBe(0);
  const { delivered } = await act('pause', file);
  expect(delivered).toBeGreaterThan(2);
  const { outbox } = await takeSnapshot(house.world.client, house.world.tables);
  const paused = outbox.find((it) => it.type === 'file.paused' && it.tenant === file.tenantId);
  expect(JSON.parse(String(paused?.data))).toMatchObject({
    ...{ status: 'paused', delivered, pending: 12 - Number(delivered) },
  });
});

describe('a limit of the file itself', () => {
  it.each([
    [5, undefined, 60],
    [40, 100, 150],
    [0.5, undefined, 6],
    [100, 5, 30],
  ])('of %d per second holds beside %s of its endpoint', async (rate, perSecond, users) => {
    const endpoint = await house.addEndpoint({ perSecond });
    const file = await house.upload(endpoint, usersFile(users), { ratePerSecond: rate });

    const done = await house.settle(file);

    expect(done).toMatchObject({ state: 'completed', delivered: users });
    const slower = Math.min(rate, perSecond ?? Infinity);
    const lastMs = Math.max(...house.received.map((it) => it.atMs));
    const seconds = (lastMs - (done.readyAtMs ?? 0)) / 1_000;
    expect((users - 1) / seconds).toBeLessThanOrEqual(slower);
    expect((users - 1) / seconds).toBeGreaterThan(slower * 0.8);
  });

  it.each([
    [40, 2_400, 3],
    [20, 1_001, 2],
  ])('of %d per second goes to whichever block is left: %d users', async (rate, users, window) => {
    const file = await house.upload(await house.addEndpoint(), usersFile(users), {
      ratePerSecond: rate,
    });
    const done = await house.settle(file);
    expect(done).toMatchObject({ window, blocks: window, delivered: users });
    const timesMs = house.received.map((it) => it.atMs).sort((a, b) => a - b);
    const tookMs = (timesMs.at(-1) ?? 0) - (done.readyAtMs ?? 0);
    expect(tookMs).toBeGreaterThanOrEqual(((users - 1) / rate) * 1_000);
    expect(tookMs).toBeLessThan((users / rate) * 1_000 * 1.1);
    for (const [nth, atMs] of timesMs.entries()) {
      // No 1.35 times the rate within any second.
      const after = timesMs[nth + Math.ceil(1.35 * rate)] ?? Infinity;
      expect(after - atMs).toBeGreaterThan(1_000);
    }
  });
});

describe('a file that is so slow that its alerts are not kept long enough', () => {
  it('is cancelled with the reason and its counts, and leaves nobody pending', async () => {
    const file = await parsed({ ratePerSecond: 0.01 }, undefined, 30_000);
    house.world.clock.advance(29 * DAY_MS + HOUR_MS);
    await house.sweep(await house.find(file));
    await house.settle(file);
    const done = await house.find(file);
    expect(done).toMatchObject({ state: 'cancelled', reason: 'too_old', pending: 0 });
    expect(done.cancelled).toBeGreaterThan(29_900);
    expect(await violations()).toEqual([]);
  });
});

describe('the time of the end', () => {
  it('is told by the limit that holds', async () => {
    const endpoint = await house.addEndpoint({ perSecond: 9.5 });
    const file = await parsed({}, endpoint, 95);
    const { eta } = await read(file);
    const aheadMs = Date.parse(eta ?? '') - house.world.clock.nowMs();
    expect(aheadMs).toBeGreaterThanOrEqual(10_000);
    expect(aheadMs).toBeLessThan(11_000);
    await house.settle(file);
    expect((await read(file)).eta).toBeUndefined();
  });

  it('is not told when all had their first alert and only retries are left', async () => {
    const endpoint = await house.addEndpoint({ retry: { maxAttempts: 2, scheduleSeconds: [900] } });
    house.reply = (userId, nth) => (userId === 'u1' && nth === 1 ? 500 : 200);
    const file = await parsed({}, endpoint, 3);
    await work(3);
    house.world.clock.advance(2 * MINUTE_MS);
    await house.sweep(await house.find(file));
    const { eta, status, pending } = await read(file);
    expect({ eta, status, pending }).toEqual({ eta: undefined, status: 'delivering', pending: 1 });
  });
});

/** What each action makes of a file in each state. */
const TABLE: readonly [FileState, Record<keyof typeof ACTIONS, string>][] = [
  [
    'awaiting_upload',
    {
      pause: 'conflict',
      resume: 'conflict',
      release: 'conflict',
      cancel: 'cancelled',
      retry: 'not_retryable',
    },
  ],
  [
    'ready',
    {
      pause: 'conflict',
      resume: 'conflict',
      release: 'delivering',
      cancel: 'cancelled',
      retry: 'not_retryable',
    },
  ],
  [
    'delivering',
    {
      pause: 'paused',
      resume: 'delivering',
      release: 'delivering',
      cancel: 'cancelled',
      retry: 'not_retryable',
    },
  ],
  [
    'paused',
    {
      pause: 'paused',
      resume: 'delivering',
      release: 'conflict',
      cancel: 'cancelled',
      retry: 'not_retryable',
    },
  ],
  [
    'completed',
    {
      pause: 'conflict',
      resume: 'conflict',
      release: 'conflict',
      cancel: 'conflict',
      retry: 'not_retryable',
    },
  ],
  [
    'failed',
    {
      pause: 'conflict',
      resume: 'conflict',
      release: 'conflict',
      cancel: 'conflict',
      retry: 'parsing',
    },
  ],
  [
    'cancelled',
    {
      pause: 'conflict',
      resume: 'conflict',
      release: 'conflict',
      cancel: 'cancelled',
      retry: 'not_retryable',
    },
  ],
];

describe('in the state', () => {
  async function fileIn(state: FileState): Promise<AlertFile> {
    const endpoint = await house.addEndpoint();
    if (state === 'failed') return settled(await house.upload(endpoint, 'name\nAnn\n'));
    const given = state === 'ready' ? { release: 'manual' as const } : {};
    const file = await house.upload(endpoint, usersFile(3), given);
    if (state === 'awaiting_upload') return file;
    await work();
    if (state === 'completed') return settled(file);
    if (state === 'paused') await act('pause', file);
    if (state === 'cancelled') await act('cancel', file);
    return file;
  }
  const settled = (file: AlertFile) => house.settle(file).then(() => file);

  it.each(TABLE)('%s each action does what it may, or is refused', async (state, expected) => {
    for (const verb of Object.keys(ACTIONS) as (keyof typeof ACTIONS)[]) {
      house.world.sent.length = 0;
      const file = await fileIn(state);
      expect((await house.find(file)).state, verb).toBe(state);
      const outcome = await act(verb, file).then(
        (it) => it.status,
        (error: unknown) => (error instanceof Problem ? error.code : String(error)),
      );
      expect(outcome, `${verb} of ${state}`).toBe(expected[verb]);
    }
  });

  it('of another tenant no action finds the file', async () => {
    const file = await fileIn('paused');
    const stranger = { ...file, tenantId: house.world.ids.next('ten') };
    for (const verb of Object.keys(ACTIONS) as (keyof typeof ACTIONS)[]) {
      expect(await codeOf(act(verb, stranger)), verb).toBe('not_found');
    }
  });
});
