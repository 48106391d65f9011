import { access, mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { afterAll, expect, inject, it } from 'vitest';
import type { Body } from '../support/api.ts';
import { type TenantWithReceiver, tenantWithReceiver } from '../support/tenant-with-receiver.ts';
import { until } from '../support/until.ts';
import { type FileView, settledFile } from '../support/upload.ts';

const cloud = inject('cloud');
const { s3Url, bucket: Bucket, folder } = cloud.drops;
const s3 = new S3Client({
  endpoint: s3Url,
  region: 'us-east-1',
  forcePathStyle: true,
  credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
});
const opened: TenantWithReceiver[] = [];
afterAll(() => Promise.all(opened.map((it) => it.receiver.close())));

async function open(endpoint: object = {}): Promise<TenantWithReceiver> {
  const tenant = await tenantWithReceiver(cloud, { eventTypes: ['file.completed'], ...endpoint });
  opened.push(tenant);
  return tenant;
}

/** The tenant's only file, at its end. */
async function theFile({ api }: TenantWithReceiver): Promise<FileView> {
  const { body } = await until(
    () => api.get<{ data: FileView[] }>('/v1/files'),
    (it) => it.body.data.length > 0,
  );
  expect(body.data).toHaveLength(1);
  return settledFile(api, String(body.data[0]?.id));
}

const alertsOf = (tenant: TenantWithReceiver) =>
  tenant.accepted().filter((it) => it.type !== 'file.completed') as (Body & {
    data: { userId: string; message?: string; fileName: string };
  })[];

it('an object that is put into the bucket with metadata becomes alerts', async () => {
  const tenant = await open({ fileDefaults: { message: 'Hello', eventType: 'reminder' } });
  await s3.send(
    new PutObjectCommand({
      ...{ Bucket, Key: `drop/${tenant.tenantId}/${tenant.endpointId}/may/users.csv.gz` },
      Body: gzipSync('member;name\nm1;Zoë\nm2;"Ann; B"\nm1;again\n'),
      Metadata: {
        'tallyhook-id-column': 'member',
        'tallyhook-message': '=?utf-8?B?R3LDvMOfZSB7e25hbWV9fQ==?=',
        'tallyhook-rate-per-second': '100',
      },
    }),
  );

  const file = await theFile(tenant);
  expect(file).toMatchObject({
    ...{ status: 'completed', name: 'may/users.csv.gz', ratePerSecond: 100 },
    ...{ rows: 3, alerts: 2, duplicates: 1, delivered: 2 },
  });
  const alerts = alertsOf(tenant).toSorted((a, b) => a.data.userId.localeCompare(b.data.userId));
  expect(alerts.map(({ type, data }) => [type, data.userId, data.message])).toEqual([
    ['reminder', 'm1', 'Grüße Zoë'],
    ['reminder', 'm2', 'Grüße Ann; B'],
  ]);
  expect(tenant.receiver.received.every((it) => it.verdict === 'valid')).toBe(true);
});

it('a file that is put into the folder `drop/` becomes alerts, and leaves it', async () => {
  const tenant = await open({ fileDefaults: { idColumn: 1 } });
  const dir = join(folder, tenant.tenantId, tenant.endpointId);
  await mkdir(dir, { recursive: true });
  const path = join(dir, 'a list.ndjson');
  // Whole at once: a file that is opened, and written to a second later, looks complete in between.
  await writeFile(join(dir, '.part'), 'id,name\nu1,Ann\nu2,Ben\nu3,Cem\n');
  await rename(join(dir, '.part'), path);

  const file = await theFile(tenant);
  expect(file).toMatchObject({ status: 'completed', name: 'a list.ndjson', delivered: 3 });
  expect(
    alertsOf(tenant)
      .map(({ data }) => data.userId)
      .toSorted(),
  ).toEqual(['u1', 'u2', 'u3']);
  const whyNot = () => access(path).then(() => 'there', String);
  expect(await until(whyNot, (it) => it !== 'there')).toContain('ENOENT');
});

it('an object with metadata that do not fit fails, and alerts nobody', async () => {
  const tenant = await open();
  await s3.send(
    new PutObjectCommand({
      ...{ Bucket, Key: `drop/${tenant.tenantId}/${tenant.endpointId}/users.csv` },
      Body: 'user_id\nu1\n',
      Metadata: { 'tallyhook-on-malformed': 'maybe' },
    }),
  );

  const file = await theFile(tenant);
  expect(file).toMatchObject({ status: 'failed', error: { code: 'metadata_invalid' } });
  expect(alertsOf(tenant)).toEqual([]);
});
