import { beforeAll, describe, expect, it } from 'vitest';
import type { Item } from '../../functions/shared/world.ts';
import { FilesHouse, usersFile } from '../files/files-house.ts';
import { checkFiles } from '../support/invariants/files.ts';
import { type Snapshot, takeSnapshot } from '../support/invariants/snapshot.ts';

/** A true history of one file, to plant one fault in at a time: u1 was retried, u2 has failed. */
let history: Snapshot;
beforeAll(async () => {
  const house = await FilesHouse.open();
  house.reply = (userId, nth) => (userId === 'u2' || (userId === 'u1' && nth === 1) ? 500 : 200);
  const file = await house.upload(await house.addEndpoint(), usersFile(5));
  await house.settle(file);
  history = await takeSnapshot(house.world.client, house.world.tables);
});

describe('checkFiles', () => {
  it('finds nothing in a true history', () => {
    expect(checkFiles(history)).toEqual([]);
  });

  it.each<[string, string, (snapshot: Snapshot) => Snapshot]>([
    ['a row too many', 'rows, not', (it) => editFile(it, { rows: 6 })],
    ['a pending user at the end', 'with 1 pending', (it) => editFile(it, { pending: 1 })],
    ['a file that is not at its end', 'O3', (it) => editFile(it, { state: 'delivering' })],
    ['a file at its end that is due', 'still due', (it) => editFile(it, { duePk: 'x' })],
    [
      'counts that add up to what the blocks do not say',
      'its blocks have',
      (it) => editFile(it, { delivered: 5, failed: 0 }),
    ],
    ['a success that no worker saw', 'its blocks have', (it) => editBlock(it, { done: bits(0) })],
    ['a lost outcome of a retry', 'its delivery', (it) => editBlock(it, { sFail: bits() })],
    ['another outcome of a retry', 'its delivery', (it) => editBlock(it, { sDone: bits() })],
    ['a retry without a delivery', 'without a delivery', (it) => ({ ...it, deliveries: [] })],
    ['a delivery without a retry', 'has a delivery', (it) => editBlock(it, { fail: bits(2) })],
    ['a delivery of no block', 'has no block', withoutBlocks],
  ])('names %s', (_what, violation, plant) => {
    expect(checkFiles(plant(history)).join('\n')).toContain(violation);
  });
});

function bits(...places: readonly number[]): Uint8Array {
  return Uint8Array.of(places.reduce((byte, place) => byte | (1 << place), 0));
}

const isFile = ({ sk }: Item) => sk === '#';

function editFile(snapshot: Snapshot, over: Item): Snapshot {
  const files = snapshot.files.map((it) => (isFile(it) ? { ...it, ...over } : it));
  return { ...snapshot, files };
}

function editBlock(snapshot: Snapshot, over: Item): Snapshot {
  const files = snapshot.files.map((it) => (isFile(it) ? it : { ...it, ...over }));
  return { ...snapshot, files };
}

function withoutBlocks(snapshot: Snapshot): Snapshot {
  return { ...snapshot, files: snapshot.files.filter(isFile) };
}
