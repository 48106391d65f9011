import { describe, expect, it } from 'vitest';
import { FilesHouse, usersFile } from './files-house.ts';

const USERS = 10_000;

/** Write units per alert, from the upload to the last outcome. */
async function unitsPerAlert(perSecond: number | undefined): Promise<number> {
  const house = await FilesHouse.open();
  const endpoint = await house.addEndpoint({ perSecond });
  const file = await house.upload(endpoint, usersFile(USERS));
  house.world.units.splice(0);
  expect(await house.settle(file)).toMatchObject({ state: 'completed', delivered: USERS });
  const writes = house.world.units.filter(({ operation }) => !/^(get|query)/.test(operation));
  const units = writes.flatMap((it) => it.consumed).map((it) => it.CapacityUnits ?? 0);
  return units.reduce((sum, it) => sum + it, 0) / USERS;
}

describe('a file of 10,000 users', () => {
  it.each([
    ['without a limit', undefined, 0.06],
    ['at 50 a second', 50, 0.08],
  ])(
    '%s costs little per alert',
    async (_what, perSecond, most) => {
      const units = await unitsPerAlert(perSecond);
      console.info(`${units.toFixed(4)} write units per alert`);
      expect(units).toBeLessThanOrEqual(most);
    },
    120_000,
  );
});
