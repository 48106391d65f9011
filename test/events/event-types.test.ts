import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { isReservedType } from '../../functions/events/event.ts';
import { readRooms } from '../docs/openapi/route-table.ts';

/** What Tallyhook itself tells of, so far. */
const BUILT_IN = [
  'account.created',
  'account.updated',
  'alert',
  'delivery.exhausted',
  'endpoint.disabled',
  'endpoint.failing',
  'endpoint.test',
  'file.completed',
  'file.expired',
  'file.failed',
  'file.ready',
  'hold.captured',
  'hold.created',
  'hold.expired',
  'hold.voided',
  'transaction.posted',
];

describe('the catalogue of event types', () => {
  it('has a schema for each built-in type, which nobody else may use', async () => {
    const { eventTypes } = await readRooms();
    expect(Object.keys(eventTypes)).toEqual(expect.arrayContaining(BUILT_IN));
    for (const [type, { summary, data }] of Object.entries(eventTypes)) {
      expect(summary).toMatch(/\S/);
      expect(data.safeParse(undefined).success).toBe(false);
      expect(isReservedType(type), type).toBe(true);
    }
  });

  it.each(BUILT_IN)('shows %s in the documentation', (type) => {
    const { webhooks } = JSON.parse(readFileSync('docs/openapi.json', 'utf8'));
    expect(webhooks[type].post.requestBody.content).toHaveProperty(['application/json', 'schema']);
  });
});
