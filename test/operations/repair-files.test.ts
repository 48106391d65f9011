import { expect, it } from 'vitest';
import { blockKey } from '../../functions/files/block.store.ts';
import { cancel, retry } from '../../functions/files/change-state.ts';
import { fileKey } from '../../functions/files/file.store.ts';
import type { AlertFile } from '../../functions/files/file.ts';
import { repairDue, type TableRepair } from '../../functions/operations/repair-due.ts';
import { repairFiles } from '../../functions/operations/repair-files.ts';
import type { Item, Key, TableName } from '../../functions/shared/world.ts';
import { FilesHouse, usersFile } from '../files/files-house.ts';
import { checkFiles } from '../support/invariants/files.ts';
import { scanPages, scanTable, takeSnapshot } from '../support/invariants/snapshot.ts';

/** A file of ten users of whom two were refused until nobody tried any more. */
async function torn() {
  const house = await FilesHouse.open();
  const endpoint = await house.addEndpoint();
  house.reply = (userId) => (/[37]$/.test(userId) ? 500 : 200);
  const file = await house.upload(endpoint, usersFile(10));
  expect(await house.settle(file)).toMatchObject({ state: 'completed', failed: 2 });
  return tables(house, file);
}

/** The same while both of them wait for their retries. */
async function waiting() {
  const house = await FilesHouse.open();
  const endpoint = await house.addEndpoint({ retry: { maxAttempts: 3, scheduleSeconds: [600] } });
  house.reply = (userId) => (/[37]$/.test(userId) ? 500 : 200);
  const file = await house.upload(endpoint, usersFile(10));
  for (let n = 0; n < 5; n += 1) await house.handleAll();
  expect(await house.find(file)).toMatchObject({ state: 'delivering', pending: 2 });
  return tables(house, file);
}

async function tables(house: FilesHouse, file: AlertFile) {
  const { world } = house;
  const name = { tenantId: file.tenantId, fileId: file.id };
  const key = blockKey(name, 0);
  const block = (await world.db.get('files', key)) as Item & Key;
  const put = (item: Item & Key) => world.db.commit([{ kind: 'put', table: 'files', item }]);
  const remove = (table: TableName, at: Key) =>
    world.db.commit([{ kind: 'remove', table, key: { pk: at.pk, sk: at.sk } }]);
  const deliveries = (await scanTable(world.client, world.tables.deliveries)) as (Item & Key)[];
  const mends: string[] = [];
  const losses: string[] = [];
  const repair: TableRepair = {
    dryRun: false,
    scan: (table) => scanPages(world.client, world.tables[table]),
    mended: (what, id) => mends.push(`${what} ${id}`),
    lost: ({ id, detail }) => losses.push(`${id}: ${detail}`),
  };
  const run = () => repairFiles(world, repair);
  return {
    house,
    world,
    repair,
    file,
    name,
    key,
    block,
    put,
    remove,
    deliveries,
    mends,
    losses,
    run,
  };
}

it('finds nothing where nothing is torn', async () => {
  const { run, mends, losses } = await torn();
  await run();
  expect([mends, losses]).toEqual([[], []]);
});

it('gives a block the marks of its deliveries again, once', async () => {
  const { world, file, key, block, put, run, mends, losses } = await torn();
  const { fail, att, ...before } = block;
  await put({ ...before, pk: key.pk, sk: key.sk });

  await run();
  await run();

  expect([mends, losses]).toEqual([[`block behind its deliveries ${file.id} block 0`], []]);
  const after = await world.db.get('files', key);
  expect(after?.fail).toEqual(fail);
});

it('ends a file whose retries are lost, so that a person may retry them', async () => {
  const { house, world, file, deliveries, remove, run, mends, losses } = await waiting();
  for (const it of deliveries) await remove('deliveries', it);

  await run();
  await run();

  expect(mends).toEqual([]);
  expect(losses).toEqual([
    expect.stringMatching(
      new RegExp(`^${file.id} block 0: the retries of its users at \\d, \\d are lost$`),
    ),
  ]);
  expect(await house.find(file)).toMatchObject({ state: 'completed', delivered: 8, uncertain: 2 });

  house.reply = () => 200;
  const answer = await house.act(retry, file);
  expect(answer.body).toMatchObject({ retried: 2 });
  expect(await house.settle(file)).toMatchObject({ delivered: 10, uncertain: 0 });
  expect(checkFiles(await takeSnapshot(world.client, world.tables))).toEqual([]);
});

it('only tells of them in a dry run', async () => {
  const { house, world, repair, file, deliveries, remove, losses } = await waiting();
  for (const it of deliveries) await remove('deliveries', it);
  await repairFiles(world, { ...repair, dryRun: true });
  expect(losses).toHaveLength(1);
  expect(await house.find(file)).toMatchObject({ state: 'delivering', pending: 2 });
});

it('tells of users whom the counts of their file cannot hold', async () => {
  const { file, key, block, deliveries, put, remove, run, mends, losses } = await torn();
  // The block is of a time before the file was at its end.
  const { sFail, sDone, sUnk, sGone, sv, ...before } = block;
  await put({ ...before, pk: key.pk, sk: key.sk });
  for (const it of deliveries) await remove('deliveries', it);

  await run();

  expect(mends).toEqual([]);
  expect(losses).toEqual([
    expect.stringContaining(`${file.id} block 0: the retries of its users at `),
    `${file.id} block 0: its file counts fewer users as open than that`,
  ]);
});

it('takes nothing for lost that is written while it reads', async () => {
  const { world, repair, key, block, deliveries, put, remove, mends, losses } = await waiting();
  const { fail, att, ...before } = block;
  await put({ ...before, pk: key.pk, sk: key.sk });
  for (const it of deliveries) await remove('deliveries', it);
  let tablesRead = 0;
  await repairFiles(world, {
    ...repair,
    async *scan(table) {
      yield* repair.scan(table);
      tablesRead += 1;
      if (tablesRead > 1) return;
      const puts = deliveries.map((item) => ({ kind: 'put', table: 'deliveries', item }) as const);
      await world.db.commit(puts);
      await put({ ...block, pk: key.pk, sk: key.sk });
    },
  });
  expect([mends, losses]).toEqual([[], []]);
});

it('leaves a block alone while a worker may be at it', async () => {
  const { world, key, block, put, run, mends, losses } = await waiting();
  const { fail, ...before } = block;
  const lease = world.clock.nowMs() + 60_000;
  await put({ ...before, pk: key.pk, sk: key.sk, token: 'worker', lease });
  await run();
  expect([mends, losses]).toEqual([[], []]);
  expect(await world.db.get('files', key)).not.toHaveProperty('fail');
});

it('tells of a block, and of a file, that only deliveries know of', async () => {
  const { file, name, key, remove, run, losses } = await torn();
  await remove('files', key);
  await run();
  await remove('files', fileKey(name));
  await run();

  expect(losses).toEqual([
    expect.stringContaining(`${file.id}: its block B#000000 is lost`),
    `${file.id}: the file is lost; retries of its alerts go on`,
  ]);
});

it('files a cancelled file again until it is closed and its retries are over', async () => {
  const { house, world, file, name, put, repair, mends } = await waiting();
  const lose = async () => {
    const { duePk, dueSk, ...item } = (await world.db.get('files', fileKey(name))) ?? {};
    expect([duePk, dueSk]).toEqual([expect.any(String), expect.any(String)]);
    await put({ ...item, ...fileKey(name) });
  };
  await house.act(cancel, file);
  expect(await house.find(file)).toMatchObject({ state: 'cancelled' });
  await lose();
  await repairDue(world, 'files', repair);
  expect(mends.splice(0)).toEqual([`due ${file.id}`]);

  await house.handleAll();
  expect(await house.find(file)).toMatchObject({ closed: true, pending: 2 });
  await lose();
  await repairDue(world, 'files', repair);
  expect(mends.splice(0)).toEqual([`due ${file.id}`]);

  expect(await house.settle(file)).toMatchObject({ state: 'cancelled', pending: 0 });
  await repairDue(world, 'files', repair);
  expect(mends).toEqual([]);
});
