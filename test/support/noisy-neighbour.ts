import { expect, onTestFinished } from 'vitest';
import type { Body } from './api.ts';
import type { SharedCloud } from './cloud-setup.ts';
import { tenantWithReceiver } from './tenant-with-receiver.ts';
import { until } from './until.ts';

const HANGING = 500;
const PROBES = 5;
/** The first of those that hang is over only then. */
const HANGING_SECONDS = 15;

/**
 * One tenant has 500 deliveries to a receiver that hangs, and another one five to a good one.
 * Answers when the last of these came, in milliseconds since the first one that hangs, which is
 * over after 15,000.
 */
export async function quietBesideNoisy(
  cloud: Pick<SharedCloud, 'apiUrl' | 'adminKey'>,
): Promise<number> {
  const endpoint = { timeoutSeconds: HANGING_SECONDS, retry: { maxAttempts: 1 } };
  const noisy = await tenantWithReceiver(cloud, endpoint, { hangNext: HANGING });
  onTestFinished(() => noisy.receiver.close());
  const quiet = await tenantWithReceiver(cloud);
  onTestFinished(() => quiet.receiver.close());
  const events = Array.from({ length: 100 }, (_, n) => ({ type: 'order.paid', data: { n } }));
  for (let sent = 0; sent < HANGING; sent += events.length) {
    expect((await noisy.api.post('/v1/events/batch', { events })).status).toBe(202);
  }
  await until(
    () => noisy.receiver.received.length,
    (it) => it > 0,
  );

  for (let n = 0; n < PROBES; n += 1) {
    const probe = { type: 'order.paid', data: { n } };
    expect((await quiet.api.post('/v1/events', probe)).status).toBe(202);
  }
  const got = await until(quiet.accepted, (it) => it.length >= PROBES);
  expect(new Set(got.map((it) => (it.data as Body).n))).toEqual(new Set([0, 1, 2, 3, 4]));
  expect(noisy.receiver.received.length).toBeLessThan(HANGING);

  // What is left must not keep the workers of later tests.
  const path = `/v1/endpoints/${noisy.endpointId}`;
  expect((await noisy.api.send(path, { method: 'DELETE' })).status).toBe(200);
  // By the clock of the receivers.
  const firstMs = noisy.receiver.received[0]?.atMs ?? 0;
  return Math.max(...quiet.receiver.received.map(({ atMs }) => atMs)) - firstMs;
}
