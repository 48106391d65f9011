import { careMessage } from '../../functions/files/care-message.ts';
import { forwardReceipt } from '../../functions/inbox/forward-receipt.ts';
import { receiptKey } from '../../functions/inbox/receipt.store.ts';
import { ReceiptMessage } from '../../functions/inbox/receipt-message.ts';
import type { Route } from '../../functions/shared/http/route.ts';
import { MINUTE_MS, SECOND_MS } from '../../functions/shared/units.ts';
import { toInstant } from '../../functions/shared/wire.ts';
import type { Db, Write } from '../../functions/shared/world.ts';
import { RestMessage, restMessage } from '../../functions/timers/rest-message.ts';
import { sweepRest } from '../../functions/timers/sweep-rest.ts';
import { createReplay } from '../../functions/webhooks/create-replay.ts';
import { growSet } from '../../functions/webhooks/endpoint.store.ts';
import type { Endpoint } from '../../functions/webhooks/endpoint.ts';
import { getReplay } from '../../functions/webhooks/read-replays.ts';
import { updateEndpoint } from '../../functions/webhooks/update-endpoint.ts';
import { usersFile } from '../files/files-house.ts';
import { asInstance, inboxClient, newSource, push, work } from '../inbox/inbox-house.ts';
import { roomClient } from '../support/room-client.ts';
import type { SentMessage, TestWorld } from '../support/world.ts';
import { ReleaseHouse } from './release-house.ts';

type TenantId = `ten_${string}`;

/** Works also at webhooks of others, and at the rest of a shard. */
export class MoreHouse extends ReleaseHouse {
  override async handle(message: SentMessage): Promise<void> {
    const { world } = this;
    const body = JSON.parse(JSON.stringify(message.body));
    const time = { deadlineMs: world.clock.nowMs() + MINUTE_MS };
    if (message.queue === 'inbox') {
      await forwardReceipt(ReceiptMessage.parse(body), asInstance(world), time);
    } else if (message.queue === 'sweeps') await sweepRest(RestMessage.parse(body), world, time);
    else await super.handle(message);
  }

  /** Handles all messages of these queues that there are now. */
  async handleOf(isWanted: (queue: string) => boolean): Promise<void> {
    const { sent } = this.world;
    const wanted = sent.filter(({ queue }) => isWanted(queue));
    sent.splice(0, sent.length, ...sent.filter((it) => !wanted.includes(it)));
    for (const it of wanted) await this.handle(it);
  }

  /** The routes of endpoints and replays, on behalf of this tenant. */
  webhooks(tenantId: TenantId) {
    const routes = [updateEndpoint, createReplay, getReplay] as unknown as Route<never>[];
    return roomClient(this.all as never, routes, { tenantId, allows: () => true } as never);
  }
}

const isDelivery = (queue: string) => queue.startsWith('delivery');

async function endpointOf(house: MoreHouse, given: Partial<Endpoint>): Promise<Endpoint> {
  const endpoint = await house.addEndpoint(given);
  await house.world.db.commit([growSet(endpoint.tenantId, 1_000)]);
  return endpoint;
}

/** A body that does not lie in its receipt. */
export const LARGE_TEXT = JSON.stringify({ n: 3, of: 'x'.repeat(2_000) });

/** Webhooks that came in: one is done, one has failed, and the message of one is on its way. */
async function makeReceipts(world: TestWorld) {
  const inbox = asInstance(world);
  const { ask, tenantId } = inboxClient(inbox);
  const source = await newSource(ask, { maxBacklog: 9 });
  // Only what has no id of its own leaves a mark.
  const dedupe = { windowSeconds: 3_600 };
  const marked = await newSource(ask, { scheme: 'none', secret: undefined, dedupe });
  const took = async (text: string, of = source) => String((await push(ask, of, text)).body.id);
  const done = await took('{"n":1}');
  await work(inbox);
  const failed = await took('{"n":2}');
  const commit: Db['commit'] = async (writes: readonly Write[]) => {
    if (writes.some(({ table }) => table === 'outbox')) throw new Error('a bug of that release');
    return world.db.commit(writes);
  };
  const retryPlan = { ...inbox.retryPlan, maxAttempts: 1 };
  await work({ ...inbox, retryPlan, db: { ...world.db, commit } });
  const open = await took(LARGE_TEXT, marked);
  return { tenantId, source: source.id, marked: marked.id, done, failed, open };
}

/** What the first state lacks: the inbox, releases and replays, and the messages about them. */
export async function makeMoreState(house: MoreHouse): Promise<Record<string, string>> {
  const { world } = house;
  const { tenantId, ...receipts } = await makeReceipts(world);
  const { dueSk, duePk } = (await world.db.get('inbox', receiptKey(tenantId, receipts.open))) ?? {};
  const rest = { table: 'inbox', partition: String(duePk), from: String(dueSk) } as const;
  await world.queues.send('sweeps', [restMessage(rest)]);

  const paused = await endpointOf(house, { tenantId, status: 'paused', eventTypes: ['order.*'] });
  const retry = { maxAttempts: 1, scheduleSeconds: [5] };
  const failing = await endpointOf(house, { tenantId, retry, eventTypes: ['other.*'] });
  house.status = 500;
  const held = await house.emit(tenantId, 'order.held');
  const exhausted = await house.emit(tenantId, 'other.exhausted');
  await house.handleOf(isDelivery);
  const from = toInstant(world.clock.nowMs() - MINUTE_MS);
  world.clock.advance(20 * SECOND_MS);
  const ask = house.webhooks(tenantId);
  await ask(`PATCH /v1/endpoints/${paused.id}`, { body: { status: 'active' } });
  const to = toInstant(world.clock.nowMs() - 15 * SECOND_MS);
  const asked = { endpointId: failing.id, from, to };
  const { body: replay } = await ask('POST /v1/replays', { body: asked });

  const file = await house.upload(failing, usersFile(3));
  await house.handleOf((queue) => queue === 'file-events');
  await world.queues.send('file-care', [careMessage(await house.find(file))]);
  const ids = { replay: replay.id, held: held.id, exhausted: exhausted.id, file: file.id };
  return { tenantId, ...receipts, ...ids };
}
