import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import type { ProblemCode } from '../../functions/shared/problem.ts';
import { newTenantOf } from '../support/api.ts';
import { sendRaw } from '../support/raw-http.ts';
import { expectRefusal } from '../support/refusal.ts';
import { type TenantWithReceiver, tenantWithReceiver } from '../support/tenant-with-receiver.ts';
import { until } from '../support/until.ts';
import { type FileView, settledFile, uploadFile } from '../support/upload.ts';

const cloud = inject('cloud');
let tenant: TenantWithReceiver;
/** Alerts of what was in order. */
let before = 0;
/** One file in each of these states. */
const files: Record<'waiting' | 'asking' | 'done' | 'broken', string> = {
  ...{ waiting: '', asking: '', done: '', broken: '' },
};
beforeAll(async () => {
  tenant = await tenantWithReceiver(cloud, { eventTypes: ['nothing'] });
  const { api, endpointId } = tenant;
  const upload = async (content: string) => (await uploadFile(api, { content, endpointId })).id;
  const announced = await api.post<FileView>('/v1/files', { name: 'a', size: 9, endpointId });
  files.waiting = announced.body.id;
  files.done = await upload('user_id\nu1\n');
  files.broken = await upload('id\nu1\n');
  files.asking = await upload('user_id\nu1\n,\n');
  const asking = () => api.get(`/v1/files/${files.asking}`);
  await until(asking, (it) => it.body.status === 'needs_approval');
  for (const id of [files.done, files.broken]) await settledFile(api, id);
  before = tenant.receiver.received.length;
});

afterAll(async () => {
  // Whatever was refused has alerted nobody.
  expect(tenant.receiver.received.slice(before)).toEqual([]);
  await tenant.receiver.close();
});

const send = (method: string, target: string, body?: unknown, key = tenant.key) =>
  sendRaw(cloud.apiUrl, {
    method,
    target,
    headers: [
      `authorization: Bearer ${key}`,
      `idempotency-key: ${randomUUID()}`,
      ...(body === undefined ? [] : ['content-type: application/json']),
    ],
    ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });

const nobodys = (prefix: string) => `${prefix}_${'0'.repeat(26)}`;

describe('POST /v1/files refuses', () => {
  const target = '/v1/files';
  const long = (length: number) => 'x'.repeat(length);
  it.each<[string, object, readonly string[]]>([
    ['nothing', {}, ['/name required', '/size required', '/endpointId required']],
    ['a name too long', { name: long(256) }, ['/name invalid']],
    ['a name with NUL', { name: 'a\0' }, ['/name invalid']],
    ['a size as text', { size: '9' }, ['/size invalid']],
    ['a byte more than 5 GiB', { size: 5 * 1024 ** 3 + 1 }, ['/size invalid']],
    ['a column number 0', { idColumn: 0 }, ['/idColumn invalid']],
    ['a column number with a fraction', { idColumn: 1.5 }, ['/idColumn invalid']],
    ['no name of a column', { idColumn: '' }, ['/idColumn invalid']],
    ['a message too long', { message: long(1_001) }, ['/message invalid']],
    ['an empty message', { message: '' }, ['/message invalid']],
    ['braces that do not close', { message: 'Hi {{name' }, ['/message invalid']],
    ['braces around nothing', { message: 'Hi {{}}' }, ['/message invalid']],
    ['another format', { format: 'xlsx' }, ['/format invalid']],
    ['another encoding', { encoding: 'latin-1' }, ['/encoding invalid']],
    ['another answer to malformed rows', { onMalformed: 'panic' }, ['/onMalformed invalid']],
    ['a share above 1', { maxMalformedShare: 1.01 }, ['/maxMalformedShare invalid']],
    ['a share below 0', { maxMalformedShare: -0.01 }, ['/maxMalformedShare invalid']],
    ['a rate of 0', { ratePerSecond: 0 }, ['/ratePerSecond invalid']],
    ['a rate below 0', { ratePerSecond: -1 }, ['/ratePerSecond invalid']],
    ['a rate above 5,000', { ratePerSecond: 5_001 }, ['/ratePerSecond invalid']],
    ['a rate as text', { ratePerSecond: '20' }, ['/ratePerSecond invalid']],
    ['yes as text', { allowRepeat: 'true' }, ['/allowRepeat invalid']],
    ['another release', { release: 'later' }, ['/release invalid']],
    ['a type of our own', { eventType: 'file.ready' }, ['/eventType invalid']],
    ['a type with blanks', { eventType: 'my type' }, ['/eventType invalid']],
    ['an answer to unknown outcomes', { onUnknown: 'guess' }, ['/onUnknown invalid']],
    ['the id of another kind', { endpointId: nobodys('acc') }, ['/endpointId invalid']],
    ['fields of the answer', { status: 'ready', alerts: 9 }, ['/alerts', '/status']],
  ])('%s', async (_what, given, faults) => {
    const { endpointId } = tenant;
    const isEmpty = Object.keys(given).length === 0;
    const body = isEmpty ? {} : { name: 'a', size: 9, endpointId, ...given };
    const told = faults.map((it) => (it.includes(' ') ? it : `${it} unknown_field`));
    expectRefusal(await send('POST', target, body), 'validation_failed', { target, faults: told });
  });

  it('an endpoint that there is not, and that of another tenant, in the same words', async () => {
    const other = await newTenantOf(cloud.apiUrl, cloud.adminKey);
    const body = { name: 'a', size: 9, endpointId: tenant.endpointId };
    const foreign = expectRefusal(await send('POST', target, body, other.key), 'not_found');
    const none = { ...body, endpointId: nobodys('end') };
    const missing = expectRefusal(await send('POST', target, none, other.key), 'not_found');
    expect(foreign.detail.replace(tenant.endpointId, '')).toBe(
      missing.detail.replace(nobodys('end'), ''),
    );
  });
});

describe('the routes of one file', () => {
  const ROUTES = [
    ['GET', '', undefined],
    ['GET', '/errors', undefined],
    ['GET', '/results', undefined],
    ['POST', '/export', { what: 'results' }],
    ['POST', '/export', { what: 'errors' }],
    ...(['pause', 'resume', 'release', 'cancel', 'retry'] as const).map(
      (it) => ['POST', `/${it}`, undefined] as const,
    ),
  ] as const;

  it.each(ROUTES)(
    '%s …%s answers ids of nobody and of others alike',
    async (method, path, body) => {
      const other = await newTenantOf(cloud.apiUrl, cloud.adminKey);
      const ids = [nobodys('fil'), 'fil_x', '%00', nobodys('end'), `${files.done}0`];
      for (const id of ids) {
        const target = `/v1/files/${id}${path}`;
        expectRefusal(await send(method, target, body), 'not_found', { target });
      }
      const target = `/v1/files/${files.done}${path}`;
      expectRefusal(await send(method, target, body, other.key), 'not_found', { target });
    },
  );

  it.each<[string, string, ProblemCode]>([
    ['waiting', 'pause', 'conflict'],
    ['waiting', 'resume', 'conflict'],
    ['waiting', 'release', 'conflict'],
    ['waiting', 'retry', 'not_retryable'],
    ['asking', 'pause', 'conflict'],
    ['asking', 'resume', 'conflict'],
    ['asking', 'retry', 'not_retryable'],
    ['done', 'pause', 'conflict'],
    ['done', 'resume', 'conflict'],
    ['done', 'release', 'conflict'],
    ['done', 'cancel', 'conflict'],
    ['done', 'retry', 'not_retryable'],
    ['broken', 'pause', 'conflict'],
    ['broken', 'resume', 'conflict'],
    ['broken', 'release', 'conflict'],
    ['broken', 'cancel', 'conflict'],
  ])('refuse what a file that is %s cannot do: %s, %s', async (state, action, code) => {
    const target = `/v1/files/${files[state as keyof typeof files]}`;
    const seen = (await tenant.api.get(target)).body;
    expectRefusal(await send('POST', `${target}/${action}`), code);
    expect({ ...(await tenant.api.get(target)).body, upload: 0 }).toEqual({ ...seen, upload: 0 });
  });

  it.each<[string, string, unknown, readonly string[]]>([
    ['GET', '/errors?limit=0', undefined, ['?limit invalid']],
    ['GET', '/errors?status=failed', undefined, ['?status unknown_field']],
    ['GET', '/results?limit=101', undefined, ['?limit invalid']],
    ['GET', '/results?status=exhausted', undefined, ['?status invalid']],
    ['GET', '/results?status=failed&status=pending', undefined, ['?status invalid']],
    ['GET', '?full=true', undefined, ['?full unknown_field']],
    ['POST', '/export', {}, ['/what required']],
    ['POST', '/export', { what: 'rows' }, ['/what invalid']],
    ['POST', '/export', { what: 'results', status: 'sent' }, ['/status invalid']],
    ['POST', '/export', { what: 'results', limit: 5 }, ['/limit unknown_field']],
    ['POST', '/export', { what: 'results', cursor: 7 }, ['/cursor invalid']],
    ['POST', '/cancel?force=true', undefined, ['?force unknown_field']],
  ])('refuse %s …%s with %j', async (method, path, body, faults) => {
    const target = `/v1/files/${files.done}${path}`;
    expectRefusal(await send(method, target, body), 'validation_failed', { faults });
  });

  it('refuse cursors that are not theirs', async () => {
    const { nextCursor = '' } = (await tenant.api.get<{ nextCursor?: string }>('/v1/files?limit=1'))
      .body;
    expect(nextCursor).not.toBe('');
    for (const path of ['errors', 'results']) {
      const target = `/v1/files/${files.asking}/${path}?cursor=${nextCursor}`;
      expectRefusal(await send('GET', target), 'invalid_cursor');
    }
    const body = { what: 'results', cursor: nextCursor };
    expectRefusal(await send('POST', `/v1/files/${files.done}/export`, body), 'invalid_cursor');
  });

  it.each(['PUT', 'PATCH', 'DELETE'])('know no %s', async (method) => {
    const target = `/v1/files/${files.done}`;
    expectRefusal(await send(method, target), 'method_not_allowed', { target });
  });

  it('need the scope that they change or read by', async () => {
    const { body } = await tenant.api.post<{ key: string }>('/v1/keys', {
      name: 'reader',
      scopes: ['files:read'],
    });
    const target = `/v1/files/${files.asking}`;
    expect((await send('GET', target, undefined, body.key)).status).toBe(200);
    for (const action of ['release', 'cancel', 'retry']) {
      const answer = await send('POST', `${target}/${action}`, undefined, body.key);
      expectRefusal(answer, 'forbidden_scope');
    }
    const created = { name: 'a', size: 1, endpointId: tenant.endpointId };
    expectRefusal(await send('POST', '/v1/files', created, body.key), 'forbidden_scope');
  });
});

describe('the form of an upload takes nothing but what was announced', () => {
  const announce = async (size: number) => {
    const { endpointId } = tenant;
    const { body } = await tenant.api.post<FileView>('/v1/files', { name: 'a', size, endpointId });
    if (!body.upload) throw new Error('no form');
    return { url: body.upload.url, fields: { ...body.upload.fields } as Record<string, string> };
  };
  const post = async (url: string, fields: Record<string, string>, content: string) => {
    const form = new FormData();
    for (const [name, value] of Object.entries(fields)) form.append(name, value);
    form.append('file', new Blob([content]), 'a.csv');
    return (await fetch(url, { method: 'POST', body: form })).status;
  };

  it.each<[string, (fields: Record<string, string>) => void, string, number]>([
    ['a byte less', () => undefined, 'user_id\n', 400],
    ['a byte more', () => undefined, 'user_id\nu1', 400],
    ['another key', (it) => Object.assign(it, { key: 'incoming/x' }), 'user_id\nu', 403],
    ['no signature', (it) => void delete it['X-Amz-Signature'], 'user_id\nu', 400],
    ['another policy', (it) => Object.assign(it, { Policy: 'e30=' }), 'user_id\nu', 403],
    ['metadata of a drop', (it) => Object.assign(it, { 'x-amz-meta-a': '1' }), 'user_id\nu', 403],
  ])('%s', async (_what, change, content, status) => {
    const { url, fields } = await announce(9);
    change(fields);
    expect(await post(url, fields, content)).toBe(status);
  });
});

describe('POST /v1/alerts refuses', () => {
  const target = '/v1/alerts';
  it.each<[string, object, readonly string[]]>([
    ['nobody', { userId: undefined }, ['/userId required']],
    ['an empty id', { userId: '' }, ['/userId invalid']],
    ['an id too long', { userId: 'x'.repeat(257) }, ['/userId invalid']],
    ['an id as number', { userId: 7 }, ['/userId invalid']],
    ['no endpoint', { endpointId: undefined }, ['/endpointId required']],
    ['an empty message', { message: '' }, ['/message invalid']],
    ['columns', { columns: {} }, ['/columns unknown_field']],
  ])('%s', async (_what, given, faults) => {
    const body = { endpointId: tenant.endpointId, userId: 'u1', ...given };
    expectRefusal(await send('POST', target, body), 'validation_failed', { target, faults });
  });

  it('an endpoint that there is not', async () => {
    const body = { endpointId: nobodys('end'), userId: 'u1' };
    expectRefusal(await send('POST', target, body), 'not_found', { target });
  });
});
