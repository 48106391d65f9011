import { expect, it } from 'vitest';
import { File } from '../../functions/files/file.contract.ts';
import type { AlertFile } from '../../functions/files/file.ts';
import { getFile } from '../../functions/files/get-file.ts';
import { FilesHouse, usersFile } from './files-house.ts';

it('eta ends with the last first alert, also before anybody has looked at the file', async () => {
  const house = await FilesHouse.open();
  const plan = { maxAttempts: 2, scheduleSeconds: [3_600] };
  const endpoint = await house.addEndpoint({ perSecond: 50, retry: plan });
  house.reply = (userId, nth) => (userId === 'u5' && nth === 1 ? 500 : 200);
  const file = await house.upload(endpoint, usersFile(1_090));
  const read = async (it: AlertFile) => File.parse((await house.act(getFile, it)).body);
  const seen = new Set<string>();
  for (let n = 0; n < 300 && house.received.length < 1_090; n += 1) {
    await house.handleAll();
    house.world.clock.advance(200);
    const { eta, status } = await read(file);
    if (status === 'delivering') seen.add(`${house.received.length < 1_090}: ${eta !== undefined}`);
  }
  expect([...seen].sort()).toEqual(['false: false', 'true: true']);
  const { eta, status, pending } = await read(file);
  expect({ eta, status, pending }).toEqual({ eta: undefined, status: 'delivering', pending: 1 });
  expect(await house.find(file)).toMatchObject({ blocks: 2, floor: 0 });
});
