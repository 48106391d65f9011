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

it('tells what led to a file whose receiver wants no more', async () => {
  const house = await FilesHouse.open();
  house.reply = () => 410;
  const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
  await house.upload(await house.addEndpoint(), usersFile(2), { hops: 2, traceparent });
  for (let n = 0; n < 3; n += 1) await house.handleAll();
  const { outbox } = await takeSnapshot(house.world.client, house.world.tables);
  const told = outbox.filter((it) => it.type === 'endpoint.disabled');
  expect(told).toMatchObject([{ hops: 2, traceparent }]);
});
