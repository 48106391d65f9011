import { afterAll, describe, expect, inject, it } from 'vitest';
import type { ReceiverOptions } from '../../local/receiver/server.ts';
import type { Body } from '../support/api.ts';
import { snapshotOf } from '../support/cloud.ts';
import { checkFiles } from '../support/invariants/files.ts';
import { type TenantWithReceiver, tenantWithReceiver } from '../support/tenant-with-receiver.ts';
import { until } from '../support/until.ts';
import { type FileView, settledFile, uploadFile } from '../support/upload.ts';

const cloud = inject('cloud');
const opened: TenantWithReceiver[] = [];
afterAll(() => Promise.all(opened.map((it) => it.receiver.close())));

async function open(endpoint: object = {}, behaviour: ReceiverOptions = {}) {
  const tenant = await tenantWithReceiver(
    cloud,
    { eventTypes: ['file.completed', 'file.failed'], ...endpoint },
    behaviour,
  );
  opened.push(tenant);
  return tenant;
}

const counts = ({ rows, alerts, duplicates, malformed, delivered, failed, pending }: FileView) => ({
  rows,
  alerts,
  duplicates,
  malformed,
  delivered,
  failed,
  pending,
});

const alertsOf = (tenant: TenantWithReceiver) =>
  tenant.accepted().filter((it) => it.type === 'alert') as (Body & { data: Alert })[];

interface Alert {
  readonly userId: string;
  readonly row: number;
  readonly columns: Readonly<Record<string, string>>;
}

describe('a file of users', () => {
  it('becomes one signed alert per user', async () => {
    const tenant = await open();
    const users = Array.from({ length: 2_500 }, (_, n) => `user-${n}`);
    const content = ['user_id,name', ...users.map((it, n) => `${it},Name ${n}`)].join('\n');

    const { id } = await uploadFile(tenant.api, {
      content,
      endpointId: tenant.endpointId,
      message: 'Hello',
    });
    const file = await settledFile(tenant.api, id);

    expect(file.status).toBe('completed');
    expect(counts(file)).toEqual({
      rows: 2_500,
      alerts: 2_500,
      duplicates: 0,
      malformed: 0,
      delivered: 2_500,
      failed: 0,
      pending: 0,
    });
    const alerts = alertsOf(tenant);
    expect(alerts.map((it) => it.data.userId).toSorted()).toEqual(users.toSorted());
    expect(new Set(alerts.map((it) => it.id)).size).toBe(2_500);
    expect(tenant.receiver.received.every((it) => it.verdict === 'valid')).toBe(true);
    expect(alerts.find((it) => it.data.userId === 'user-7')?.data).toEqual({
      userId: 'user-7',
      message: 'Hello',
      row: 8,
      fileId: id,
      fileName: 'users.csv',
      columns: { name: 'Name 7' },
    });
  });

  it('is read by RFC 4180: quotes, line breaks in them, CRLF, multi-byte characters', async () => {
    const tenant = await open();
    const content =
      'name, user_id ,note\r\n' +
      '"Ünal, ""Ü""",ü-1,"two\r\nlines"\r\n' +
      'Zoë,"quoted ""id""",\r\n' +
      '🙂,emoji-🙂,last line without an end';

    const { id } = await uploadFile(tenant.api, { content, endpointId: tenant.endpointId });
    const file = await settledFile(tenant.api, id);

    expect(counts(file)).toMatchObject({ rows: 3, alerts: 3, delivered: 3 });
    const alerts = alertsOf(tenant).toSorted((a, b) => a.data.row - b.data.row);
    expect(alerts.map((it) => [it.data.userId, it.data.columns])).toEqual([
      ['ü-1', { name: 'Ünal, "Ü"', note: 'two\r\nlines' }],
      ['quoted "id"', { name: 'Zoë', note: '' }],
      ['emoji-🙂', { name: '🙂', note: 'last line without an end' }],
    ]);
  });

  it('counts duplicates and malformed rows, asks first, and alerts nobody twice', async () => {
    const tenant = await open();
    const content = 'user_id,name\na,1\nb,2\na,3\n,4\nc\nc,5\n';

    const { id } = await uploadFile(tenant.api, { content, endpointId: tenant.endpointId });
    const asking = await until(
      () => tenant.api.get(`/v1/files/${id}`),
      (it) => it.body.status === 'needs_approval',
    );
    expect(asking.body).toMatchObject({ reason: 'too_many_malformed', pending: 3 });
    expect(alertsOf(tenant)).toEqual([]);
    expect((await tenant.api.post(`/v1/files/${id}/release`)).status).toBe(202);
    const file = await settledFile(tenant.api, id);

    expect(counts(file)).toMatchObject({ rows: 6, alerts: 3, duplicates: 1, malformed: 2 });
    expect(
      alertsOf(tenant)
        .map((it) => it.data.userId)
        .toSorted(),
    ).toEqual(['a', 'b', 'c']);
  });

  it('alerts those again whom the receiver refused at first', async () => {
    const tenant = await open({ retry: { maxAttempts: 4, schedule: [1] } }, { failNext: 5 });
    const users = Array.from({ length: 40 }, (_, n) => `u${n}`);
    const content = ['user_id', ...users].join('\n');

    const { id } = await uploadFile(tenant.api, { content, endpointId: tenant.endpointId });
    const file = await settledFile(tenant.api, id);

    expect(counts(file)).toMatchObject({ alerts: 40, delivered: 40, failed: 0, pending: 0 });
    expect(alertsOf(tenant)).toHaveLength(40);
  });

  it('shows whom it could not reach, one by one', async () => {
    const tenant = await open({ retry: { maxAttempts: 1 } });
    tenant.receiver.behave({
      decide: ({ body }) => (body.includes('"userId":"u3"') ? { status: 400 } : undefined),
    });
    const content = ['user_id', 'u1', 'u2', 'u3'].join('\n');

    const { id } = await uploadFile(tenant.api, { content, endpointId: tenant.endpointId });
    const file = await settledFile(tenant.api, id);

    expect(counts(file)).toMatchObject({ alerts: 3, delivered: 2, failed: 1, pending: 0 });
    const { body } = await tenant.api.get<{ data: Body[] }>('/v1/deliveries?status=exhausted');
    expect(body.data).toHaveLength(1);
    expect(body.data[0]).toMatchObject({ eventType: 'alert', fileId: id });
  });

  it('of no rows is completed at once', async () => {
    const tenant = await open();
    const { id } = await uploadFile(tenant.api, {
      content: 'user_id\n',
      endpointId: tenant.endpointId,
    });

    expect(counts(await settledFile(tenant.api, id))).toMatchObject({ rows: 0, alerts: 0 });
  });
});

describe('a broken file', () => {
  it.each([
    ['without the id column', 'id,name\n1,a\n', { code: 'no_id_column' }],
    [
      'with an unclosed quote',
      'user_id,name\n1,a\n2,"b\n3,c\n',
      { code: 'unclosed_quote', row: 2, byte: 17 },
    ],
  ])('%s fails with code, row and byte, and sends nothing', async (_what, content, error) => {
    const tenant = await open();

    const { id } = await uploadFile(tenant.api, { content, endpointId: tenant.endpointId });
    const file = await settledFile(tenant.api, id);

    expect(file.status).toBe('failed');
    expect(file.error).toMatchObject(error);
    expect(alertsOf(tenant)).toEqual([]);
  });

  it('of another size than was announced is not taken', async () => {
    const tenant = await open();
    const upload = uploadFile(tenant.api, {
      content: 'user_id\n1\n',
      size: 9,
      endpointId: tenant.endpointId,
    });

    await expect(upload).rejects.toThrow('no upload: 400');
  });
});

it('leaves files whose counts add up', async () => {
  for (const { tenantId } of opened) {
    const snapshot = await snapshotOf(tenantId);
    const open = snapshot.files.filter((it) => it.state !== 'awaiting_upload');
    expect(checkFiles({ ...snapshot, files: open })).toEqual([]);
  }
});
