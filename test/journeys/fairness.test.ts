import { afterAll, expect, inject, it } from 'vitest';
import type { Body } from '../support/api.ts';
import { type TenantWithReceiver, tenantWithReceiver } from '../support/tenant-with-receiver.ts';
import { until } from '../support/until.ts';

const cloud = inject('cloud');
const opened: TenantWithReceiver[] = [];
afterAll(() => Promise.all(opened.map((it) => it.receiver.close())));

const HANGING = 500;
const PROBES = 5;

it('lets no tenant wait behind 500 deliveries of another one whose receiver hangs', async () => {
  // The first of them would only be over after 15 seconds.
  const endpoint = { timeoutSeconds: 15, retry: { maxAttempts: 1 } };
  const noisy = await tenantWithReceiver(cloud, endpoint, { hangNext: HANGING });
  const quiet = await tenantWithReceiver(cloud);
  opened.push(noisy, quiet);
  const events = Array.from({ length: 100 }, (_, n) => ({ type: 'order.paid', data: { n } }));
  for (let sent = 0; sent < HANGING; sent += events.length) {
    expect((await noisy.api.post('/v1/events/batch', { events })).status).toBe(202);
  }
  await until(
    () => noisy.receiver.received.length,
    (it) => it > 0,
  );

  const probes = Array.from({ length: PROBES }, (_, n) => ({ type: 'order.paid', data: { n } }));
  for (const probe of probes) expect((await quiet.api.post('/v1/events', probe)).status).toBe(202);
  const got = await until(quiet.accepted, (it) => it.length >= PROBES);
  expect(new Set(got.map((it) => (it.data as Body).n))).toEqual(new Set([0, 1, 2, 3, 4]));
  expect(noisy.receiver.received.length).toBeLessThan(HANGING);
  const over = await noisy.api.get(
    `/v1/deliveries?endpointId=${noisy.endpointId}&status=exhausted`,
  );
  expect([over.status, over.body.data]).toEqual([200, []]);

  // What is left must not keep the workers of later tests.
  const path = `/v1/endpoints/${noisy.endpointId}`;
  expect((await noisy.api.send(path, { method: 'DELETE' })).status).toBe(200);
  await noisy.receiver.close();
});
