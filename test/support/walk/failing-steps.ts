import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { openDb } from '../../../functions/shared/aws/db.ts';
import { DAY_MS, HOUR_MS } from '../../../functions/shared/units.ts';
import {
  countFailure,
  findHealth,
  openBreaker,
  planProbe,
  probeMessage,
} from '../../../functions/webhooks/health.store.ts';
import { STREAK_MIN } from '../../../functions/webhooks/health.ts';
import { callAws } from '../../../local/aws-call.ts';
import type { SharedCloud } from '../cloud-setup.ts';
import type { Walk } from './walk.ts';

/** Receivers by how they are: one takes all, one refuses all, one wants no more. */
interface Receivers {
  readonly good: string;
  readonly bad: string;
  readonly gone: string;
}

/**
 * The events of endpoints that do badly: one whose receiver wants no more, and one whose receiver
 * has failed for a day. For the day nobody can wait, so that its failures are put on record.
 */
export async function walkFailing(
  walk: Walk,
  { good, bad, gone }: Receivers,
  cloud: SharedCloud,
): Promise<void> {
  const told = { url: good, eventTypes: ['endpoint.disabled'] };
  await walk.setUp('createEndpoint', { body: told });
  await walk.setUp('createEndpoint', { body: { url: gone, eventTypes: ['lead.*'] } });
  await walk.setUp('createEvent', { body: { type: 'lead.found', data: { leadId: 'lead-3' } } });

  const failing = await walk.setUp('createEndpoint', {
    body: { url: bad, eventTypes: ['quote.*'] },
  });
  const tenant = await walk.setUp('getOwnTenant');
  const endpoint = {
    tenantId: String(tenant.id),
    id: `end_${String(failing.id).slice(4)}`,
  } as const;
  const { dynamodbUrl, tables, endpointCareUrl } = cloud;
  const client = new DynamoDBClient({
    endpoint: dynamodbUrl,
    region: 'us-east-1',
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
  });
  const db = openDb({ client, tables });
  const nowMs = Date.now();
  const thenMs = nowMs - DAY_MS - HOUR_MS;
  for (let nth = 0; nth < STREAK_MIN; nth += 1) {
    await db.commit([countFailure(endpoint, false, thenMs)]);
  }
  await db.commit([openBreaker(endpoint, thenMs)]);
  const seen = await findHealth(db, endpoint);
  // A probe has failed as well, and the next one is due.
  const probed = { probes: 1, saidDays: 0, probedThrough: `evt_${'0'.repeat(26)}` };
  await db.commit([planProbe(endpoint, seen, { ...probed, probeAtMs: nowMs, nowMs })]);
  client.destroy();
  const MessageBody = JSON.stringify(probeMessage(endpoint, nowMs).body);
  const sqs = { endpoint: new URL(endpointCareUrl).origin, service: 'sqs' as const };
  await callAws(sqs, 'SendMessage', { QueueUrl: endpointCareUrl, MessageBody });
}
