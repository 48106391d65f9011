import { beforeAll, describe, expect, it } from 'vitest';
import type { AlertFile } from '../../functions/files/file.ts';
import { listResults } from '../../functions/files/list-results.ts';
import { exportFileRoute, listResultsRoute } from '../../functions/files/result.contract.ts';
import { exportFile } from '../../functions/files/save-export.ts';
import type { Call, Contract } from '../../functions/shared/http/route.ts';
import { Problem } from '../../functions/shared/problem.ts';
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
  await house.settle(file);
});

async function list(query: object, tenantId = file.tenantId) {
  const parsed = listResultsRoute.query.parse(query);
  const call = { tenantId, params: { id: file.id }, query: parsed };
  const answer = await listResults.answer(call as unknown as Call<Contract>, house.doors);
  return listResultsRoute.reply.schema.parse(answer.body);
}

async function exported(body: object) {
  const call = { tenantId: file.tenantId, params: { id: file.id }, body };
  const downloads = { presignGet: async (key: string) => `http://127.0.0.1/tests/${key}` };
  const world = { ...house.doors, downloads };
  const answer = await exportFile.answer(call as unknown as Call<Contract>, world);
  const { url } = exportFileRoute.reply.schema.parse(answer.body);
  const bytes = house.world.objects.get(url.slice('http://127.0.0.1/tests/'.length));
  const lines = Buffer.from(bytes ?? [])
    .toString()
    .trimEnd()
    .split('\n');
  return lines.map((line) => JSON.parse(line));
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

  it('of errors is refused where there are none', async () => {
    const refused = exported({ what: 'errors' }).catch((error: unknown) => error);
    expect(await refused).toMatchObject({ code: 'not_found' });
  });
});
