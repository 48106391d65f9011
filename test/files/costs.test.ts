import { describe, expect, it } from 'vitest';
import { retry } from '../../functions/files/change-state.ts';
import { type ReadsAndWrites, UNITS_OF_ALERT } from '../support/units.ts';
import { FilesHouse, usersFile } from './files-house.ts';

const USERS = 10_000;

/** Units per alert, from the upload to the last outcome. */
async function unitsPerAlert(perSecond?: number, rate?: number): Promise<ReadsAndWrites> {
  const house = await FilesHouse.open();
  const endpoint = await house.addEndpoint({ perSecond });
  const file = await house.upload(endpoint, usersFile(USERS), { ratePerSecond: rate });
  house.world.units.splice(0);
  expect(await house.settle(file)).toMatchObject({ state: 'completed', delivered: USERS });
  const spent = (isRead: boolean) =>
    house.world.units
      .filter(({ operation }) => /^(get|query)/.test(operation) === isRead)
      .flatMap((it) => it.consumed)
      .reduce((sum, it) => sum + (it.CapacityUnits ?? 0), 0) / USERS;
  return { reads: spent(true), writes: spent(false) };
}

describe('a file of 10,000 users', () => {
  it.each([
    ['without a limit', undefined, undefined, UNITS_OF_ALERT.unlimited],
    ['at 50 a second', 50, undefined, UNITS_OF_ALERT.fiftyASecond],
    ['at 50 a second of its own', undefined, 50, UNITS_OF_ALERT.fiftyOfItsOwn],
    ['at 50 a second of its own beside 100', 100, 50, UNITS_OF_ALERT.fiftyBesideMore],
  ])('%s costs little per alert', async (_what, perSecond, rate, most) => {
    const units = await unitsPerAlert(perSecond, rate);
    console.info(`${units.writes.toFixed(4)} WRU and ${units.reads.toFixed(4)} RRU per alert`);
    expect(units.writes).toBeLessThanOrEqual(most.writes);
    expect(units.reads).toBeLessThanOrEqual(most.reads);
  });
});

describe('a retry of a file', () => {
  it('stores 25 users in one transaction, with their block and its file', async () => {
    const house = await FilesHouse.open();
    const endpoint = await house.addEndpoint({ retry: { maxAttempts: 1 } });
    house.reply = (userId) => (Number(userId.slice(1)) % 4 === 0 ? 500 : 200);
    const file = await house.upload(endpoint, usersFile(100));
    expect(await house.settle(file)).toMatchObject({ failed: 25 });
    await house.act(retry, file);
    house.world.units.splice(0);
    const message = house.takeMessage();
    if (!message) throw new Error('nobody was told');
    await house.handle(message);
    const commits = house.world.units.filter(({ operation }) => operation === 'commit');
    const units = commits.map(({ consumed }) =>
      consumed.map((it) => it.CapacityUnits ?? 0).sort((a, b) => b - a),
    );
    // 2 for each record and 3 of its indexes; 2 each for the block and the file.
    expect(units).toEqual([[25 * (2 + 3), 2 + 2]]);
  });
});
