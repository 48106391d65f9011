import { beforeEach, describe, expect, it } from 'vitest';
import { retry } from '../../functions/files/change-state.ts';
import type { AlertFile } from '../../functions/files/file.ts';
import type { Call, Contract } from '../../functions/shared/http/route.ts';
import { MINUTE_MS, SECOND_MS } from '../../functions/shared/units.ts';
import { takeSlots } from '../../functions/webhooks/take-slots.ts';
import { updateEndpoint } from '../../functions/webhooks/update-endpoint.ts';
import { checkFiles } from '../support/invariants/files.ts';
import { takeSnapshot } from '../support/invariants/snapshot.ts';
import { FilesHouse, usersFile } from './files-house.ts';

let house: FilesHouse;
beforeEach(async () => {
  house = await FilesHouse.open();
});

const USERS = 6;

async function change({ tenantId, endpointId }: AlertFile, body: object): Promise<void> {
  const asked = { tenantId, params: { id: endpointId }, body };
  await updateEndpoint.answer(asked as unknown as Call<Contract>, house.doors);
}

/** Does what comes until the one block of the file waits for so long at least. */
async function runUntilItRests(ms: number): Promise<void> {
  const { clock, sent } = house.world;
  for (;;) {
    const message = house.takeMessage();
    if (message) await house.handle(message);
    else if (sent.some((it) => it.queue === 'file-blocks' && (it.atMs ?? 0) > clock.nowMs() + ms)) {
      return;
    } else clock.set(Math.ceil(Math.min(...sent.map(({ atMs = 0 }) => atMs))));
  }
}

async function expectSoon(file: AlertFile): Promise<void> {
  const changedMs = house.world.clock.nowMs();
  expect(await house.settle(file)).toMatchObject({ state: 'completed', delivered: USERS });
  const lastMs = Math.max(...house.received.map(({ atMs }) => atMs));
  expect(lastMs - changedMs).toBeLessThan(MINUTE_MS + 15 * SECOND_MS);
  expect(checkFiles(await takeSnapshot(house.world.client, house.world.tables))).toEqual([]);
}

describe('a block that waits takes notice of its endpoint within a minute', () => {
  it.each([
    [50, undefined],
    [1, undefined],
    [null, undefined],
    [50, 0.5],
    [null, 0.5],
  ])('when it gets another limit: %s, and the file %s', async (perSecond, ratePerSecond) => {
    const endpoint = await house.addEndpoint({ perSecond: ratePerSecond ? 1 : 0.01 });
    // Others are ahead of a file that is slower than its endpoint.
    if (ratePerSecond) await takeSlots(house.world, endpoint, 700);
    const file = await house.upload(endpoint, usersFile(USERS), { ratePerSecond });
    await runUntilItRests(90 * SECOND_MS);
    await change(file, { rateLimit: perSecond === null ? null : { perSecond } });
    await expectSoon(file);
  });

  it.each([
    [undefined, undefined],
    [50, undefined],
    [undefined, 20],
    [50, 30],
  ])('when a Retry-After is forgotten: limit %s, file %s', async (perSecond, ratePerSecond) => {
    const endpoint = await house.addEndpoint({ perSecond });
    house.reply = () => ({ status: 429, retryAfter: '800' });
    const file = await house.upload(endpoint, usersFile(USERS), { ratePerSecond });
    await runUntilItRests(5 * MINUTE_MS);
    house.reply = () => 200;
    house.received.length = 0;
    await change(file, { status: 'active' });
    await expectSoon(file);
  });

  it.each([20, undefined])('while it sends again: file %s', async (ratePerSecond) => {
    const endpoint = await house.addEndpoint({ perSecond: 0.1, retry: { maxAttempts: 1 } });
    house.reply = (userId, nth) => (Number(userId.slice(1)) % 2 === 1 && nth === 1 ? 500 : 200);
    const file = await house.upload(endpoint, usersFile(60), { ratePerSecond });
    expect(await house.settle(file)).toMatchObject({ state: 'completed', failed: 30 });
    house.received.length = 0;
    house.reply = () => 200;
    const { clock } = house.world;
    await house.act(retry, file);
    await house.runUntil(() => house.received.length >= 3);
    const changedMs = clock.nowMs();
    await change(file, { rateLimit: { perSecond: 100 } });
    expect(await house.settle(file)).toMatchObject({ state: 'completed', delivered: 60 });
    const lastMs = Math.max(...house.received.map(({ atMs }) => atMs));
    expect(lastMs - changedMs).toBeLessThan(2 * MINUTE_MS);
  });

  it.each([
    [undefined, undefined],
    [undefined, 20],
    [50, undefined],
  ])('and has one message: limit %s, file %s', async (perSecond, ratePerSecond) => {
    const endpoint = await house.addEndpoint({ perSecond });
    house.reply = () => ({ status: 429, retryAfter: '20' });
    const file = await house.upload(endpoint, usersFile(4_000), { ratePerSecond });
    const { clock, sent } = house.world;
    const endMs = clock.nowMs() + 5 * MINUTE_MS;
    while (clock.nowMs() < endMs) {
      await house.handleAll();
      const { dueMs = Infinity } = await house.find(file);
      const nextMs = Math.min(dueMs, ...sent.map(({ atMs = 0 }) => atMs));
      clock.set(Math.max(clock.nowMs() + 1, Math.ceil(nextMs)));
      await house.sweep(await house.find(file));
    }
    const waiting = sent.filter(({ queue }) => queue === 'file-blocks');
    const { window, blocks } = await house.find(file);
    // Whoever was woken just now leaves its earlier message behind, which comes to nothing.
    expect(waiting.length).toBeLessThanOrEqual(2 * Math.min(window, blocks));
  });

  it('and waits on where nothing has changed', async () => {
    const endpoint = await house.addEndpoint({ perSecond: 0.01 });
    const file = await house.upload(endpoint, usersFile(USERS));
    await runUntilItRests(90 * SECOND_MS);
    await change(file, { description: 'Nothing of its pace.' });
    const { sent, clock } = house.world;
    const startMs = clock.nowMs();
    while (clock.nowMs() < startMs + 85 * SECOND_MS) {
      const due = await house.find(file);
      clock.set(Math.min(due.dueMs ?? Infinity, ...sent.map((it) => it.atMs ?? 0)));
      await house.sweep(due);
      for (let it = house.takeMessage(); it; it = house.takeMessage()) {
        if (it.queue === 'file-blocks') expect(clock.nowMs()).toBeGreaterThan(startMs + 90_000);
        await house.handle(it);
      }
    }
  });
});
