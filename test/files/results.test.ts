import { beforeAll, describe, expect, it } from 'vitest';
import type { AlertFile } from '../../functions/files/file.ts';
import { listResults } from '../../functions/files/list-results.ts';
import { exportFileRoute, listResultsRoute } from '../../functions/files/result.contract.ts';
import { exporter, exportFile } from '../../functions/files/save-export.ts';
import type { Call, Contract } from '../../functions/shared/http/route.ts';
import { Problem } from '../../functions/shared/problem.ts';
import { DAY_MS } from '../../functions/shared/units.ts';
import { FilesHouse, usersFile } from './files-house.ts';

let house: FilesHouse;
let file: AlertFile;
beforeAll(async () => {
  house = await FilesHouse.open();
  const endpoint = await house.addEndpoint({ retry: { maxAttempts: 1 }, onUnknown: 'stop' });
  house.reply = (userId) => {
    if (userId === 'u1500') return 'hangs';
    return Number(userId.slice(1)) % 100 === 7 ? 500 : 200;
  };
  file = await house.upload(endpoint, usersFile(2_100));
  file = await house.settle(file);
});

async function list(query: object, tenantId = file.tenantId) {
  const parsed = listResultsRoute.query.parse(query);
  const call = { tenantId, params: { id: file.id }, query: parsed };
  const answer = await listResults.answer(call as unknown as Call<Contract>, house.doors);
  return listResultsRoute.reply.schema.parse(answer.body);
}

const LINK = 'http://127.0.0.1/tests/';

/** One part of an export: its rows, and the cursor of the next. */
async function exportPart(body: object, route: Pick<typeof exportFile, 'answer'> = exportFile) {
  const parsed = exportFileRoute.body.parse(body);
  const call = { tenantId: file.tenantId, params: { id: file.id }, body: parsed };
  const downloads = { presignGet: async (key: string) => `${LINK}${key}` };
  const world = { ...house.doors, downloads };
  const answer = await route.answer(call as unknown as Call<Contract>, world);
  const { url, nextCursor } = exportFileRoute.reply.schema.parse(answer.body);
  const bytes = Buffer.from(house.world.objects.get(url.slice(LINK.length)) ?? []);
  const lines = bytes.toString().split('\n').slice(0, -1);
  return { url, nextCursor, rows: lines.map((line) => JSON.parse(line)) };
}

async function exported(body: object) {
  const { rows, nextCursor } = await exportPart(body);
  expect(nextCursor).toBeUndefined();
  return rows;
}

async function all(query: object) {
  const rows: object[] = [];
  let cursor: string | undefined;
  let pages = 0;
  do {
    const page = await list({ ...query, limit: '100', ...(cursor && { cursor }) });
    rows.push(...page.data);
    cursor = page.nextCursor;
    pages += 1;
  } while (cursor !== undefined);
  return { rows, pages };
}

describe('GET /v1/files/{id}/results', () => {
  it('has every user once, in the order of the rows', async () => {
    const { rows, pages } = await all({});
    expect(rows.map((it) => 'row' in it && it.row)).toEqual(
      Array.from({ length: 2_100 }, (_, i) => i + 1),
    );
    expect(pages).toBe(21);
  });

  it('has those with one outcome, how the last attempt failed, and when', async () => {
    const { rows } = await all({ status: 'failed' });
    expect(rows).toHaveLength(21);
    expect(rows[0]).toEqual({
      userId: 'u7',
      row: 8,
      status: 'failed',
      code: 'http_500',
      at: expect.stringMatching(/^2026-/),
    });
    expect((await list({ status: 'uncertain' })).data).toEqual([
      expect.objectContaining({ userId: 'u1500', row: 1_501, status: 'uncertain' }),
    ]);
    expect((await list({ status: 'pending' })).data).toEqual([]);
  });

  it('tells of users whose turn has not come', async () => {
    const waiting = await house.upload(await house.addEndpoint(), usersFile(3), {
      release: 'manual',
    });
    const [parse] = house.world.sent.splice(0);
    if (parse) await house.handle(parse);
    const before = file;
    file = waiting;
    const { data } = await list({ status: 'pending' });
    file = before;
    expect(data.map((it) => it.userId)).toEqual(['u0', 'u1', 'u2']);
  });

  it('refuses the cursor of another filter, and another tenant', async () => {
    const { nextCursor: cursor } = await list({ limit: '2' });
    const refused = (promise: Promise<unknown>) =>
      promise.catch((error: unknown) => (error instanceof Problem ? error.code : error));
    expect(await refused(list({ status: 'failed', cursor }))).toBe('invalid_cursor');
    expect(await refused(list({}, house.world.ids.next('ten')))).toBe('not_found');
  });
});

describe('POST /v1/files/{id}/export', () => {
  it('collects all results, or those with one outcome', async () => {
    const rows = await exported({ what: 'results' });
    expect(rows).toHaveLength(2_100);
    expect(new Set(rows.map((it) => it.userId)).size).toBe(2_100);
    expect(await exported({ what: 'results', status: 'failed' })).toHaveLength(21);
  });

  it.each([
    ['bytes', { bytes: 1, ms: Infinity }],
    ['time', { bytes: Infinity, ms: 0 }],
  ])(
    'collects more than the %s of one object in several, which stay as they were',
    async (_what, limits) => {
      const { wide, before } = await uploadWide();
      const small = exporter(limits);
      const parts: Awaited<ReturnType<typeof exportPart>>[] = [];
      let cursor: string | undefined;
      do {
        const part = await exportPart({ what: 'results', ...(cursor && { cursor }) }, small);
        parts.push(part);
        cursor = part.nextCursor;
      } while (cursor !== undefined);
      expect(parts.map(({ rows }) => rows.length > 0)).toEqual([true, true, true]);
      const users = parts.flatMap(({ rows }) => rows.map((it) => it.userId));
      expect(users).toEqual(Array.from({ length: WIDE_USERS }, (_, i) => `w${i}`));

      const again = await exportPart({ what: 'results' });
      expect(again.rows).toHaveLength(WIDE_USERS);
      expect(new Set([again.url, ...parts.map((it) => it.url)]).size).toBe(4);
      const foreign = exportPart({
        what: 'results',
        status: 'failed',
        cursor: parts[0]?.nextCursor,
      });
      await expect(foreign).rejects.toMatchObject({ code: 'invalid_cursor' });
      expect(wide.blocks).toBe(9);
      file = before;
    },
  );

  it('of errors is refused with what belongs to results', () => {
    const faultsOf = (body: object) =>
      exportFileRoute.body.safeParse(body).error?.issues.map((it) => it.path.join('/'));
    expect(faultsOf({ what: 'errors', status: 'failed', cursor: 'x' })).toEqual([
      'status',
      'cursor',
    ]);
    expect(faultsOf({ what: 'errors', cursor: 'x' })).toEqual(['cursor']);
    expect(faultsOf({ what: 'errors' })).toBeUndefined();
    expect(faultsOf({ what: 'results', status: 'failed', cursor: 'x' })).toBeUndefined();
  });

  it('of errors is empty where a file was read and has none, like its list', async () => {
    expect(await exported({ what: 'errors' })).toEqual([]);
  });

  it.each([
    ['waits for its reading', 'user_id\nu1\n', false],
    ['could not be read', 'user_id,a\nu1,"x', true],
  ])('of errors is refused where the file %s', async (_how, content, isRead) => {
    const before = file;
    file = await house.upload(await house.addEndpoint(), content);
    const [parse] = house.world.sent.splice(0);
    if (isRead && parse) await house.handle(parse);
    const refused = exportPart({ what: 'errors' }).catch((error: unknown) => error);
    const problem = await refused;
    file = before;
    expect(problem).toMatchObject({
      code: 'not_found',
      message: 'The file was not read to its end: it has no list of malformed rows.',
    });
  });

  it('of errors is the list, and refused when that is not kept any more', async () => {
    const before = file;
    const endpoint = await house.addEndpoint();
    file = await house.upload(endpoint, 'user_id,a\nu1\n', { onMalformed: 'skip' });
    const [parse] = house.world.sent.splice(0);
    if (parse) await house.handle(parse);
    const { rows, url } = await exportPart({ what: 'errors' });
    house.world.objects.delete(url.slice(LINK.length));
    const problem = await exportPart({ what: 'errors' }).catch((error: unknown) => error);
    file = before;
    expect(rows).toEqual([{ row: 1, byte: 10, code: 'column_count' }]);
    expect(problem).toMatchObject({
      code: 'not_found',
      message: 'The list of errors is not kept so long.',
    });
  });
});

it('results are refused when they are not kept any more', async () => {
  const { clock } = house.world;
  const nowMs = clock.nowMs();
  clock.set((file.readAtMs ?? nowMs) + 31 * DAY_MS);
  const codes = [list({}), exportPart({ what: 'results' })].map((asked) =>
    asked.catch((error: unknown) => (error instanceof Problem ? error.code : String(error))),
  );
  expect(await Promise.all(codes)).toEqual(['not_found', 'not_found']);
  clock.set(nowMs);
});

const WIDE_USERS = 550;

/** A file that waits, whose rows are so wide that its blocks are small. */
async function uploadWide() {
  const note = 'n'.repeat(64_000);
  const rows = Array.from({ length: WIDE_USERS }, (_, i) => `w${i},${note}\n`).join('');
  const before = file;
  const endpoint = await house.addEndpoint();
  const wide = await house.upload(endpoint, `user_id,note\n${rows}`, { release: 'manual' });
  const [parse] = house.world.sent.splice(0);
  if (parse) await house.handle(parse);
  file = wide;
  return { wide: await house.find(wide), before };
}
