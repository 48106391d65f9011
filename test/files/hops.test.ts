import { expect, it } from 'vitest';
import { takeSnapshot } from '../support/invariants/snapshot.ts';
import { FilesHouse, usersFile } from './files-house.ts';

it('tells in events, alerts and retries how many webhooks in a row led to a file', async () => {
  const house = await FilesHouse.open();
  house.reply = (_userId, nth) => (nth === 1 ? 500 : 200);
  const endpoint = await house.addEndpoint();
  const file = await house.upload(endpoint, usersFile(2), { hops: 2 });

  const done = await house.settle(file);

  expect(done).toMatchObject({ state: 'completed', delivered: 2 });
  expect(house.received.map((it) => it.hops)).toEqual(['3', '3', '3', '3']);
  const { outbox } = await takeSnapshot(house.world.client, house.world.tables);
  expect(outbox.map((it) => it.type).toSorted()).toEqual(['file.completed', 'file.ready']);
  expect(outbox.map((it) => it.hops)).toEqual([2, 2]);
});
