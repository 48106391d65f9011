import { beforeAll, describe, expect, it } from 'vitest';
import { createFileRoute, getFileRoute, listFilesRoute } from '../../functions/files/contract.ts';
import { createFile } from '../../functions/files/create-file.ts';
import { findFile } from '../../functions/files/file.store.ts';
import { getFile } from '../../functions/files/get-file.ts';
import { listFiles } from '../../functions/files/list-files.ts';
import type { Call, Contract } from '../../functions/shared/http/route.ts';
import { Problem } from '../../functions/shared/problem.ts';
import { GIB, MINUTE_MS } from '../../functions/shared/units.ts';
import { deleteEndpoint } from '../../functions/webhooks/endpoint.store.ts';
import type { Endpoint } from '../../functions/webhooks/endpoint.ts';
import { FilesHouse, usersFile } from './files-house.ts';

let house: FilesHouse;
let endpoint: Endpoint;
beforeAll(async () => {
  house = await FilesHouse.open();
  endpoint = await house.addEndpoint();
});

function callOf(given: Partial<Call<Contract>>): Call<Contract> {
  return {
    tenantId: endpoint.tenantId as never,
    address: '127.0.0.1',
    method: 'POST',
    path: '/v1/files',
    params: undefined,
    query: undefined,
    body: undefined,
    memberText: () => undefined,
    bytes: () => new Uint8Array(),
    exactBody: () => undefined,
    allows: () => true,
    header: () => undefined,
    idempotency: undefined,
    requestId: 'req_1',
    traceparent: undefined,
    hops: 0,
    ...given,
  };
}

/** The answer as it leaves, by the allow-list of the contract. */
async function create(body: object, given: Partial<Call<Contract>> = {}) {
  const call = callOf({ body: createFileRoute.body.parse(body) as never, ...given });
  const answer = await createFile.answer(call, house.doors);
  return { ...answer, file: createFileRoute.reply.schema.parse(answer.body) };
}

async function read(id: string, given: Partial<Call<Contract>> = {}) {
  const params = getFileRoute.params.parse({ id }) as never;
  const answer = await getFile.answer(callOf({ params, ...given }), house.doors);
  return getFileRoute.reply.schema.parse(answer.body);
}

async function list(query: object, given: Partial<Call<Contract>> = {}) {
  const parsed = listFilesRoute.query.parse(query) as never;
  const answer = await listFiles.answer(callOf({ query: parsed, ...given }), house.doors);
  return listFilesRoute.reply.schema.parse(answer.body);
}

async function codeOf(promise: Promise<unknown>): Promise<string | undefined> {
  return promise.then(
    () => undefined,
    (error: unknown) => (error instanceof Problem ? error.code : String(error)),
  );
}

const body = () => ({ name: 'users.csv', size: 12, endpointId: endpoint.id });

describe('POST /v1/files', () => {
  it('answers with the form of the upload, which takes exactly the announced bytes', async () => {
    const forms: object[] = [];
    const { uploads } = house.doors;
    const presignPost: typeof uploads.presignPost = (form) => {
      forms.push(form);
      return uploads.presignPost(form);
    };
    const doors = { ...house.doors, uploads: { presignPost } };
    const call = callOf({ body: createFileRoute.body.parse(body()) as never });

    const { file } = await createFile
      .answer(call, doors)
      .then((it) => ({ file: createFileRoute.reply.schema.parse(it.body) }));

    expect(file).toMatchObject({
      object: 'file',
      status: 'awaiting_upload',
      bytes: 12,
      eventType: 'alert',
      idColumn: 'user_id',
      onUnknown: 'resend',
      pending: 0,
      upload: { method: 'POST', fields: { key: `incoming/${endpoint.tenantId}/${file.id}` } },
    });
    const key = `incoming/${endpoint.tenantId}/${file.id}`;
    expect(forms).toEqual([{ key, minBytes: 12, maxBytes: 12, expiresInSeconds: 1_800 }]);
  });

  it('remembers how many webhooks in a row led to it', async () => {
    const { file } = await create(body(), { hops: 2 });
    const { tenantId } = endpoint;
    const stored = await findFile(house.world.db, { tenantId, fileId: file.id });
    expect(stored?.hops).toBe(2);
  });

  it('takes what it does not say from the defaults of the endpoint', async () => {
    const fileDefaults = { message: 'Hello', idColumn: 2, eventType: 'newsletter' };
    const { id } = await house.addEndpoint({ tenantId: endpoint.tenantId, fileDefaults });
    const said = { message: 'Bye', idColumn: 'email', eventType: 'alert' };
    const silent = { ...body(), endpointId: id };
    expect((await create(silent)).file).toMatchObject(fileDefaults);
    expect((await create({ ...silent, ...said })).file).toMatchObject(said);
  });

  it('remembers how it is read and released, and says the defaults', async () => {
    const plain = { onMalformed: 'ask', maxMalformedShare: 0.05, release: 'auto' };
    expect((await create(body())).file).toMatchObject({ ...plain, allowRepeat: false });
    const said = { format: 'csv', encoding: 'windows-1252', onMalformed: 'skip' };
    const more = { maxMalformedShare: 0.5, ratePerSecond: 3, release: 'manual', allowRepeat: true };
    const { file } = await create({ ...body(), ...said, ...more });
    expect(await read(file.id)).toMatchObject({ ...said, ...more });
  });

  it('takes onUnknown from the endpoint unless it is said', async () => {
    const cautious = await house.addEndpoint({ tenantId: endpoint.tenantId, onUnknown: 'stop' });
    const said = { ...body(), endpointId: cautious.id };
    expect((await create(said)).file.onUnknown).toBe('stop');
    expect((await create({ ...said, onUnknown: 'resend' })).file.onUnknown).toBe('resend');
  });

  it('refuses an endpoint of another tenant like one that does not exist', async () => {
    const other = await house.addEndpoint();
    expect(await codeOf(create({ ...body(), endpointId: other.id }))).toBe('not_found');
    const id = house.world.ids.next('end');
    expect(await codeOf(create({ ...body(), endpointId: id }))).toBe('not_found');
  });

  it('answers a repetition with the same file, and another body with a refusal', async () => {
    const idempotency = { key: 'k1', fingerprint: 'f1' };
    const first = await create(body(), { idempotency });
    const again = await create(body(), { idempotency });
    expect(again.file.id).toBe(first.file.id);
    expect([first.replayed ?? false, again.replayed]).toEqual([false, true]);
    expect(again.file.upload).toBeDefined();

    const reused = create(body(), { idempotency: { ...idempotency, fingerprint: 'f2' } });
    expect(await codeOf(reused)).toBe('idempotency_key_reused');
  });

  it('answers a repetition also when the endpoint is gone', async () => {
    const gone = await house.addEndpoint({ tenantId: endpoint.tenantId });
    const asked = { ...body(), endpointId: gone.id };
    const idempotency = { key: 'k2', fingerprint: 'f1' };
    const first = await create(asked, { idempotency });
    await house.doors.db.commit(deleteEndpoint(gone, house.world.clock.nowMs()));
    const again = await create(asked, { idempotency });
    expect([again.file.id, again.replayed]).toEqual([first.file.id, true]);
    const other = { key: 'k3', fingerprint: 'f1' };
    expect(await codeOf(create(asked, { idempotency: other }))).toBe('not_found');
  });
});

describe('the body of a new file', () => {
  const valid = { name: 'a.csv', size: 1, endpointId: `end_${'0'.repeat(26)}` };
  it.each([
    { size: 0 },
    { size: 5 * GIB },
    { idColumn: 1 },
    { idColumn: 'Kunde Nr.' },
    { eventType: 'alert' },
    { eventType: 'customer.reminded' },
    { message: 'x'.repeat(1_000) },
    { name: 'ü'.repeat(255) },
    { onMalformed: 'skip', maxMalformedShare: 0 },
    { format: 'ndjson', encoding: 'windows-1252' },
    { ratePerSecond: 0.5, release: 'manual', allowRepeat: true },
    { message: 'Hi {{ first name }}, {} }} {{user_id}}!' },
    { message: 'Hi {{{ first name }}}, {} }} {{id}}!' },
    { encoding: 'utf-16be' },
  ])('may be %j', (given) => {
    expect(createFileRoute.body.safeParse({ ...valid, ...given }).success).toBe(true);
  });

  it.each([
    { size: -1 },
    { size: 1.5 },
    { size: 5 * GIB + 1 },
    { idColumn: 0 },
    { idColumn: '' },
    { eventType: 'file.completed' },
    { eventType: 'Alert' },
    { message: '' },
    { message: 'x'.repeat(1_001) },
    { message: 'Hi {{' },
    { message: 'Hi {{name' },
    { message: 'Hi {{ }}' },
    { message: 'Hi {{a{{b}}' },
    { name: '' },
    { name: 'ü'.repeat(256) },
    { endpointId: 'end_1' },
    { onUnknown: 'maybe' },
    { onMalformed: 'drop' },
    { maxMalformedShare: 1.5 },
    { maxMalformedShare: -0.1 },
    { encoding: 'ebcdic' },
    { format: 'xlsx' },
    { ratePerSecond: 0 },
    { ratePerSecond: 5_001 },
    { release: 'never' },
    { allowRepeat: 'yes' },
  ])('may not be %j', (given) => {
    expect(createFileRoute.body.safeParse({ ...valid, ...given }).success).toBe(false);
  });
});

describe('GET /v1/files/{id}', () => {
  it('has a form only while the upload is awaited', async () => {
    const { file } = await create(body());
    expect((await read(file.id)).upload).toBeDefined();
    house.world.clock.advance(30 * MINUTE_MS);
    expect((await read(file.id)).upload).toBeUndefined();
  });

  it('has no form for a key that may not write files', async () => {
    const { file } = await create(body());
    const reader = { allows: (scope: string) => scope === 'files:read' };
    expect((await read(file.id, reader)).upload).toBeUndefined();
    const writer = { allows: () => true };
    expect((await read(file.id, writer)).upload).toBeDefined();
  });

  it('of another tenant is not found', async () => {
    const { file } = await create(body());
    const stranger = { tenantId: house.world.ids.next('ten') as never };
    expect(await codeOf(read(file.id, stranger))).toBe('not_found');
  });

  it('counts the blocks in that are under way, to the last batch', async () => {
    house.world.sent.length = 0;
    const file = await house.upload(endpoint, usersFile(1_500));
    const parse = house.takeMessage();
    if (parse) await house.handle(parse);
    const seen: number[] = [];
    const { http } = house.doors;
    const post: typeof http.post = async (request) => {
      if (house.received.length % 250 === 0) {
        const { delivered, pending } = await read(file.id);
        seen.push(delivered);
        expect(delivered + pending).toBe(1_500);
      }
      return http.post(request);
    };
    const doors = { ...house.doors, http: { ...http, post } };
    house.received.length = 0;
    for (let it = house.takeMessage(); it; it = house.takeMessage()) await house.handle(it, doors);

    expect(new Set(seen)).toEqual(new Set([0, 250, 500, 750, 1_000, 1_250]));
    expect(await read(file.id)).toMatchObject({
      status: 'completed',
      delivered: 1_500,
      pending: 0,
    });
  });
});

describe('GET /v1/files', () => {
  it('lists the files of the tenant, newest first, page by page', async () => {
    const mine = await house.addEndpoint();
    const tenantId = mine.tenantId as never;
    const ids: string[] = [];
    for (let n = 0; n < 3; n += 1) {
      house.world.clock.advance(1);
      ids.unshift((await create({ ...body(), endpointId: mine.id }, { tenantId })).file.id);
    }
    const first = await list({ limit: '2' }, { tenantId });
    expect(first.data.map((it) => it.id)).toEqual(ids.slice(0, 2));
    expect(first.hasMore).toBe(true);
    const second = await list({ limit: '2', cursor: first.nextCursor }, { tenantId });
    expect(second.data.map((it) => it.id)).toEqual(ids.slice(2));
    expect(second).toMatchObject({ hasMore: false });
  });

  it('is empty for a tenant without files', async () => {
    const tenantId = house.world.ids.next('ten') as never;
    expect(await list({}, { tenantId })).toEqual({ data: [], hasMore: false });
  });
});
