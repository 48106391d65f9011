import { beforeAll, describe, expect, it } from 'vitest';
import { listErrorsRoute } from '../../functions/files/errors.contract.ts';
import type { AlertFile } from '../../functions/files/file.ts';
import { FAULTS_LISTED_MAX } from '../../functions/files/file-fault.ts';
import { listErrors } from '../../functions/files/list-errors.ts';
import type { Call, Contract } from '../../functions/shared/http/route.ts';
import type { Endpoint } from '../../functions/webhooks/endpoint.ts';
import { FilesHouse } from './files-house.ts';

let house: FilesHouse;
let endpoint: Endpoint;
beforeAll(async () => {
  house = await FilesHouse.open();
  endpoint = await house.addEndpoint();
});

/** A file that was parsed with its malformed rows left out. */
async function parsed(content: string): Promise<AlertFile> {
  house.world.sent.length = 0;
  const file = await house.upload(endpoint, content, { onMalformed: 'skip' });
  const message = house.takeMessage();
  if (message) await house.handle(message);
  return house.find(file);
}

/** A page of the file's errors, by the allow-list of the contract. */
async function page(file: AlertFile, query: object = {}, tenantId = file.tenantId) {
  const call = {
    tenantId,
    params: { id: file.id },
    query: listErrorsRoute.query.parse(query),
  } as unknown as Call<Contract>;
  const answer = await listErrors.answer(call as never, house.doors);
  return listErrorsRoute.reply.schema.parse(answer.body);
}

const badRows = (count: number) =>
  `user_id,a\n${Array.from({ length: count }, (_, n) => (n % 2 ? `u${n}\n` : ',x\n')).join('')}`;

describe('the errors of a file', () => {
  it('come in the order of its rows, page by page, with totals', async () => {
    const file = await parsed(badRows(5));
    const totals = { id_empty: 3, column_count: 2 };
    const first = await page(file, { limit: '2' });
    expect(first).toMatchObject({
      data: [
        { row: 1, byte: 10, code: 'id_empty' },
        { row: 2, byte: 13, code: 'column_count' },
      ],
      hasMore: true,
      totals,
    });
    const second = await page(file, { limit: '2', cursor: first.nextCursor });
    const third = await page(file, { limit: '2', cursor: second.nextCursor });
    expect(second.data.map((it) => it.row)).toEqual([3, 4]);
    expect(third).toEqual({
      data: [{ row: 5, byte: 22, code: 'id_empty' }],
      hasMore: false,
      totals,
    });
  });

  it('are none of a file without, of one that waits, and of one that failed', async () => {
    const nothing = { data: [], hasMore: false, totals: {} };
    expect(await page(await parsed('user_id\nu1\n'))).toEqual(nothing);
    expect(await page(await parsed('user_id,a\nu1\nu2,"x'))).toEqual(nothing);
    expect(await page(await house.upload(endpoint, badRows(3)))).toEqual(nothing);
  });

  it('end with the first 10,000, and are all in the totals', async () => {
    const file = await parsed(badRows(FAULTS_LISTED_MAX + 2));
    let found = 0;
    let last = 0;
    let cursor: string | undefined;
    do {
      const { data, nextCursor } = await page(file, { limit: '100', cursor });
      found += data.length;
      last = data.at(-1)?.row ?? 0;
      cursor = nextCursor;
    } while (cursor);
    expect([found, last]).toEqual([FAULTS_LISTED_MAX, FAULTS_LISTED_MAX]);
    const half = FAULTS_LISTED_MAX / 2 + 1;
    expect((await page(file)).totals).toEqual({ id_empty: half, column_count: half });
  });

  it('are those of the file alone', async () => {
    const [file, other] = [await parsed(badRows(3)), await parsed(badRows(3))];
    const { nextCursor: cursor } = await page(file, { limit: '1' });
    await expect(page(other, { cursor })).rejects.toMatchObject({ code: 'invalid_cursor' });
    await expect(page(file, {}, 'ten_other' as never)).rejects.toMatchObject({ code: 'not_found' });
  });
});
