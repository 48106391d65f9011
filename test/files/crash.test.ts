import { beforeAll, describe, expect, it } from 'vitest';
import type { AlertFile } from '../../functions/files/file.ts';
import { MINUTE_MS } from '../../functions/shared/units.ts';
import type { QueueName } from '../../functions/shared/world.ts';
import type { Endpoint } from '../../functions/webhooks/endpoint.ts';
import {
  countFailure,
  findHealth,
  openBreaker,
  planProbe,
} from '../../functions/webhooks/health.store.ts';
import { nextProbe, STREAK_MIN } from '../../functions/webhooks/health.ts';
import { checkFiles } from '../support/invariants/files.ts';
import { takeSnapshot } from '../support/invariants/snapshot.ts';
import type { SentMessage } from '../support/world.ts';
import { FilesHouse, type Reply, usersFile } from './files-house.ts';
import { Killed, type KillOrder, killableDoors } from './killed-worker.ts';

const USERS = 30;
const BATCH_MAX = 25;

let house: FilesHouse;
beforeAll(async () => {
  house = await FilesHouse.open();
});

/** The first message of a queue, once all that goes before it is done. */
async function firstOf(queue: QueueName): Promise<SentMessage> {
  for (;;) {
    const message = house.takeMessage();
    if (!message) throw new Error(`nothing in ${queue}`);
    if (message.queue === queue) return message;
    await house.handle(message);
  }
}

/** Kills the worker of a queue's first message as ordered. False when it ends before that. */
async function killWorker(queue: QueueName, order: KillOrder): Promise<boolean> {
  const doors = killableDoors(house.doors, order);
  const message = await firstOf(queue);
  await house.handle(message, doors).catch((error: unknown) => {
    if (!(error instanceof Killed)) throw error;
  });
  return doors.isKilled();
}

/** Heals the file, checks that nobody is missed and how long it took, and answers the file. */
async function heal(file: AlertFile, withinMs = 3 * MINUTE_MS): Promise<AlertFile> {
  const killedMs = house.world.clock.nowMs();
  const done = await house.settle(file);
  expect(done).toMatchObject({ state: 'completed', rows: USERS, alerts: USERS, failed: 0 });
  expect(done.delivered + done.uncertain).toBe(USERS);
  expect((done.completedAtMs ?? Infinity) - killedMs).toBeLessThanOrEqual(withinMs);
  return done;
}

interface Scene {
  readonly queue: QueueName;
  readonly onUnknown: 'resend' | 'stop';
  /** What happened to the endpoint before the worker came. */
  readonly before?: (endpoint: Endpoint) => Promise<void>;
  readonly withinMs?: number;
}

/** Runs a file with a kill at the first call, the second …, until a worker gets through. */
async function killEverywhere(
  { queue, onUnknown, before, withinMs }: Scene,
  check: (done: AlertFile) => void,
): Promise<number> {
  for (let atCall = 1; ; atCall += 1) {
    for (const withEffect of [false, true]) {
      house.received.length = 0;
      house.world.sent.length = 0;
      const endpoint = await house.addEndpoint({ onUnknown });
      await before?.(endpoint);
      const file = await house.upload(endpoint, usersFile(USERS));
      const isKilled = await killWorker(queue, { atCall, withEffect });
      check(await heal(file, withinMs));
      if (!isKilled) return atCall - 1;
    }
  }
}

/** Every copy after a success says that it may be one. Answers how many there are. */
function expectMarkedRepeats(): number {
  const copies = new Map<string, number>();
  const succeeded = new Set<string>();
  let repeats = 0;
  for (const { userId, possibleDuplicate } of house.received) {
    const nth = (copies.get(userId) ?? 0) + 1;
    copies.set(userId, nth);
    if (succeeded.has(userId)) {
      expect(possibleDuplicate).toBe(true);
      repeats += 1;
    }
    if (house.reply(userId, nth) === 200) succeeded.add(userId);
  }
  return repeats;
}

async function expectInvariants(): Promise<void> {
  const snapshot = await takeSnapshot(house.world.client, house.world.tables);
  expect(checkFiles(snapshot)).toEqual([]);
}

describe('a worker that dies at any call', () => {
  it('while it parses leaves nobody out, and alerts nobody twice', async () => {
    const points = await killEverywhere({ queue: 'file-events', onUnknown: 'resend' }, (done) => {
      expect(done.delivered).toBe(USERS);
      expect(house.received).toHaveLength(USERS);
    });
    expect(points).toBeGreaterThan(7);
    await expectInvariants();
  });

  it('while it alerts leaves nobody out, and repeats one batch at most, marked', async () => {
    // A minute for which the dead worker may still be alive, and half of one until the next look.
    const scene = { queue: 'file-blocks', onUnknown: 'resend', withinMs: 1.6 * MINUTE_MS } as const;
    const points = await killEverywhere(scene, (done) => {
      expect(done.delivered).toBe(USERS);
      expect(house.copies().size).toBe(USERS);
      expect(house.received.length - USERS).toBeLessThanOrEqual(BATCH_MAX);
      expectMarkedRepeats();
    });
    expect(points).toBeGreaterThan(40);
    await expectInvariants();
  });

  it.each<[string, Reply]>([
    ['fails', 500],
    ['is too busy', { status: 429, retryAfter: '1' }],
  ])('while it alerts one that %s leaves nobody out, and marks what it repeats', async (...row) => {
    const [, first] = row;
    house.reply = (userId, nth) => (nth === 1 && /^u2?3$/.test(userId) ? first : 200);
    await killEverywhere({ queue: 'file-blocks', onUnknown: 'resend' }, (done) => {
      expect(done.delivered).toBe(USERS);
      expect(house.copies().size).toBe(USERS);
      expect(expectMarkedRepeats()).toBeLessThanOrEqual(BATCH_MAX);
    });
    house.reply = () => 200;
    await expectInvariants();
  });

  it('repeats nobody where the unknown is left to a person', async () => {
    await killEverywhere({ queue: 'file-blocks', onUnknown: 'stop' }, (done) => {
      expect(house.received).toHaveLength(house.copies().size);
      expect(done.uncertain).toBeLessThanOrEqual(BATCH_MAX);
      expect(house.copies().size).toBeGreaterThanOrEqual(done.delivered);
    });
    await expectInvariants();
  });
});

/** Opens the breaker of an endpoint of which there is nothing to probe with. */
async function openIdle(endpoint: Endpoint): Promise<void> {
  const { clock, db } = house.world;
  const nowMs = clock.nowMs();
  for (let n = 0; n < STREAK_MIN; n += 1) await db.commit([countFailure(endpoint, false, nowMs)]);
  await db.commit([openBreaker(endpoint, nowMs)]);
  const health = await findHealth(db, endpoint);
  const idle = { ...nextProbe(health, undefined, nowMs), probedThrough: undefined, saidDays: 0 };
  await db.commit([planProbe(endpoint, health, { ...idle, nowMs })]);
  expect(await findHealth(db, endpoint)).toMatchObject({ idle: true });
}

describe('a worker that dies while it leaves a user to the probe of a breaker', () => {
  it.each(['resend', 'stop'] as const)(
    'and is to %s the unknown repeats nobody',
    async (onUnknown) => {
      const probes = () =>
        house.world.lines.filter((it) => it.event === 'file.alert-probes').length;
      // A probe that was planned and died with its worker is missed for another minute.
      const within = { withinMs: 4 * MINUTE_MS };
      const scene = { queue: 'file-blocks', onUnknown, before: openIdle, ...within } as const;
      const points = await killEverywhere(scene, (done) => {
        expect(done.delivered).toBe(USERS);
        expect(house.received).toHaveLength(USERS);
        expect(house.copies().size).toBe(USERS);
      });
      expect(points).toBeGreaterThan(10);
      expect(probes()).toBeGreaterThan(2);
      await expectInvariants();
    },
  );
});

describe('a lost message', () => {
  it('of an upload or a block is found again', async () => {
    house.received.length = 0;
    house.world.sent.length = 0;
    const file = await house.upload(await house.addEndpoint(), usersFile(2_500));
    house.world.sent.length = 0;
    let lost = false;
    for (let now = file; now.dueMs !== undefined; now = await house.find(file)) {
      const message = house.takeMessage();
      if (message) {
        lost = !lost;
        if (!lost) await house.handle(message);
      } else {
        house.world.clock.set(Math.max(now.dueMs, house.world.clock.nowMs()));
        await house.sweep(now);
      }
    }
    expect(await house.find(file)).toMatchObject({ state: 'completed', delivered: 2_500 });
    expect(house.received).toHaveLength(2_500);
  });

  it('of a message that comes three times changes nothing', async () => {
    house.received.length = 0;
    house.world.sent.length = 0;
    const file = await house.upload(await house.addEndpoint(), usersFile(1_500));
    for (let message = house.takeMessage(); message; message = house.takeMessage()) {
      const again = message;
      await Promise.all([1, 2, 3].map(() => house.handle(again)));
    }
    expect(await house.find(file)).toMatchObject({ state: 'completed', delivered: 1_500 });
    expect(house.received).toHaveLength(1_500);
    await expectInvariants();
  });
});

it('a message that comes again in the middle of a batch finds the block taken', async () => {
  house.received.length = 0;
  house.world.sent.length = 0;
  const file = await house.upload(await house.addEndpoint(), usersFile(USERS));
  const message = await firstOf('file-blocks');
  const { http } = house.doors;
  const post: typeof http.post = async (request) => {
    if (house.received.length === 10) await house.handle(message);
    return http.post(request);
  };
  await house.handle(message, { ...house.doors, http: { ...http, post } });
  expect(await house.find(file)).toMatchObject({ state: 'completed', delivered: USERS });
  expect(house.received).toHaveLength(USERS);
});

it('a worker that was frozen beyond its lease sends nothing more', async () => {
  house.received.length = 0;
  house.world.sent.length = 0;
  const file = await house.upload(await house.addEndpoint(), usersFile(USERS));
  const message = await firstOf('file-blocks');
  const { http } = house.doors;
  const frozen = {
    ...house.doors,
    http: {
      ...http,
      post: async (request: Parameters<typeof http.post>[0]) => {
        house.world.clock.advance(10 * MINUTE_MS);
        return http.post(request);
      },
    },
  };
  await house.handle(message, frozen);
  expect(house.received).toEqual([]);

  const done = await house.settle(file);
  expect(done.delivered).toBe(USERS);
  expect(house.received).toHaveLength(USERS);
});
