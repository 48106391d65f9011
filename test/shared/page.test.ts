import { beforeAll, describe, expect, it } from 'vitest';
import { readPage } from '../../functions/shared/page.ts';
import { newTenant, type TestWorld, testWorld } from '../support/world.ts';

let world: TestWorld;
let pk: string;
beforeAll(async () => {
  world = await testWorld();
  pk = newTenant(world);
  for (const n of [1, 2, 3, 4, 5]) {
    await world.db.commit([{ kind: 'put', table: 'ledger', item: { pk, sk: `s${n}` } }]);
  }
});

const read = (cursor?: string, boundTo = [pk, 'all']) =>
  readPage(world, { table: 'ledger', pk }, { limit: 2, cursor, boundTo });

/** 32 bytes are 43 characters, of which the last one has two bits that stand for nothing. */
function withUnusedBits(cursor: string): string {
  const last = Buffer.from(`${cursor.at(-1)}AAA`, 'base64url').readUInt8();
  return (
    cursor.slice(0, -1) +
    Buffer.from([last | 0x04])
      .toString('base64url')
      .charAt(0)
  );
}

describe('readPage', () => {
  it('goes on where the page before ended, until there is no more', async () => {
    const first = await read();
    const second = await read(first.nextCursor);
    const third = await read(second.nextCursor);

    const pages = [first, second, third].map(({ items }) => items.map((it) => it.sk));
    expect(pages).toEqual([['s1', 's2'], ['s3', 's4'], ['s5']]);
    expect(third.nextCursor).toBeUndefined();
  });

  it('knows that a page which ends with the list is the last one', async () => {
    const boundTo = [pk, 'all'];
    const whole = await readPage(world, { table: 'ledger', pk }, { limit: 5, boundTo });

    expect(whole.items).toHaveLength(5);
    expect(whole.nextCursor).toBeUndefined();
  });

  it.each([
    ['another tenant', (it: string) => it, ['ten_other', 'all']],
    ['another filter', (it: string) => it, ['same', 'status=held']],
    ['a changed position', (it: string) => `A${it.slice(1)}`, ['same', 'all']],
    ['a cut MAC', (it: string) => it.slice(0, -1), ['same', 'all']],
    ['no MAC', (it: string) => it.split('.')[0] ?? '', ['same', 'all']],
    ['noise', () => 'x', ['same', 'all']],
    ['nothing in it', () => '', ['same', 'all']],
    ['a part too many', (it: string) => `${it}.x`, ['same', 'all']],
    ['padding', (it: string) => `${it}=`, ['same', 'all']],
    ['a blank in its MAC', (it: string) => `${it} `, ['same', 'all']],
    ['unused bits set', withUnusedBits, ['same', 'all']],
    ['another cursor’s MAC', (it: string) => `e30.${it.split('.')[1]}`, ['same', 'all']],
  ])('refuses a cursor with %s', async (_what, change, boundTo) => {
    const { nextCursor = '' } = await read();
    const bound = boundTo.map((it) => (it === 'same' ? pk : it));

    await expect(read(change(nextCursor), bound)).rejects.toMatchObject({
      code: 'invalid_cursor',
    });
  });
});
