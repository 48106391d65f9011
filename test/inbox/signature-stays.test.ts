import { createHmac } from 'node:crypto';
import { beforeAll, beforeEach, expect, it } from 'vitest';
import type { Ask } from '../support/room-client.ts';
import {
  eventsOf,
  githubHeaders,
  type InboxWorld,
  inboxClient,
  inboxWorld,
  newSource,
  SECRET,
  work,
} from './inbox-house.ts';

let world: InboxWorld;
let tenantId: string;
let ask: Ask;
beforeAll(async () => {
  world = await inboxWorld();
});
beforeEach(() => {
  world.sent.splice(0);
  ({ tenantId, ask } = inboxClient(world));
});

const TEXT = '{"a":1}';
const SIGNATURE = createHmac('sha256', SECRET).update(TEXT).digest('hex');
const HMAC = { header: 'x-sign', algorithm: 'sha256', encoding: 'hex' };

/** Sends a webhook, and answers what the receipt and the event say of it. */
async function sentOn(sourceId: string, headers: Record<string, string>) {
  const { status, body } = await ask(`POST /v1/in/${sourceId}`, { text: TEXT, headers });
  expect(status).toBe(202);
  await work(world);
  const { body: receipt } = await ask(`GET /v1/webhooks/${body.id}`);
  const [event] = await eventsOf(world, tenantId);
  expect(event?.data.receiptId).toBe(body.id);
  const stored = await world.db.get('inbox', { pk: `${tenantId}#${body.id}`, sk: '#' });
  return { headers: receipt.headers, all: JSON.stringify([receipt, event, stored]) };
}

it.each([
  'webhook-id',
  'User-Agent',
  'x-github-event',
  'content-type',
  'content-encoding',
  'webhook-hops',
  'traceparent',
])('a signature in the header %s does not go on', async (header) => {
  const { id } = await newSource(ask, { scheme: 'hmac', hmac: { ...HMAC, header } });
  const sent = { 'x-github-hook-id': '7', [header.toLowerCase()]: SIGNATURE };
  const { headers, all } = await sentOn(id, sent);
  expect(headers).toEqual({ 'x-github-hook-id': '7' });
  expect(all).not.toContain(SIGNATURE);
});

it.each([
  'webhook-signature',
  'stripe-signature',
  'X-Hub-Signature',
  'x-hub-signature-256',
  'x-shopify-hmac-sha256',
  'x-slack-signature',
])('what stands in %s does not go on as an id, either', async (idHeader) => {
  const { id } = await newSource(ask, { scheme: 'hmac', hmac: { ...HMAC, idHeader } });
  const sent = { 'x-sign': SIGNATURE, [idHeader.toLowerCase()]: 'v1=another' };
  const { headers, all } = await sentOn(id, sent);
  expect(headers).toEqual({});
  expect(all).not.toContain('v1=another');
});

it('a source of an earlier release whose id is its signature keeps it, too', async () => {
  const { id } = await newSource(ask, { scheme: 'hmac', hmac: HMAC });
  const hmac = { ...HMAC, idHeader: 'X-Sign' };
  const key = { pk: id, sk: '#' };
  const values = { ':h': hmac };
  await world.db.commit([{ kind: 'update', table: 'inbox', key, update: 'SET hmac = :h', values }]);
  expect((await ask(`GET /v1/sources/${id}`)).status).toBe(200);
  const { headers, all } = await sentOn(id, { 'x-sign': SIGNATURE });
  expect(headers).toEqual({});
  expect(all).not.toContain(SIGNATURE);
});

it('of a scheme with a header of its own nothing of the signature goes on', async () => {
  const { id } = await newSource(ask);
  const { headers, all } = await sentOn(id, githubHeaders(TEXT));
  expect(headers).toEqual({ 'x-github-event': 'push' });
  expect(all).not.toContain(SIGNATURE);
});
