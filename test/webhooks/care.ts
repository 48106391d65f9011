import type { Message, Query, QueueName } from '../../functions/shared/world.ts';
import { CareOrder, careForEndpoint } from '../../functions/webhooks/care-for-endpoint.ts';
import { DELIVERY_SHARDS, deliveryPartition } from '../../functions/webhooks/delivery.store.ts';
import type { Endpoint, EndpointStatus } from '../../functions/webhooks/endpoint.ts';
import { careMessage, newRelease, reopenWrites } from '../../functions/webhooks/release.store.ts';
import type { SentMessage } from '../support/world.ts';
import { type DeliveryWorld, handle } from './delivery-world.ts';

/** Takes the messages of these queues out that may be handled by now. */
export function takeReady(world: DeliveryWorld, queues: RegExp): SentMessage[] {
  const nowMs = world.clock.nowMs();
  const ready = world.sent.filter((it) => queues.test(it.queue) && (it.atMs ?? 0) <= nowMs);
  for (const it of ready) world.sent.splice(world.sent.indexOf(it), 1);
  return ready;
}

/** What the sweeper sends for what is due of one endpoint: the sweeper itself reads everything. */
export async function sweepEndpoint(
  world: DeliveryWorld,
  { tenantId, id }: Pick<Endpoint, 'tenantId' | 'id'>,
): Promise<SentMessage[]> {
  const shards = Array.from({ length: DELIVERY_SHARDS }, (_, shard) => shard);
  const dueOf = async (queue: QueueName, query: Query): Promise<SentMessage[]> => {
    const { items } = await world.db.query(query);
    const due = items.filter((it) => Number(it.due) <= world.clock.nowMs() && 'duePk' in it);
    return due.map(({ pk, sk, due: dueMs }) => ({ queue, body: { v: 1, pk, sk, dueMs } }));
  };
  const found = await Promise.all([
    dueOf('endpoint-care', { table: 'endpoints', pk: `${tenantId}#${id}` }),
    ...shards.map((shard) =>
      dueOf('delivery-slow', { table: 'deliveries', pk: deliveryPartition(tenantId, id, shard) }),
    ),
  ]);
  return found.flat();
}

/** The work of one message of `endpoint-care`. */
export async function care(
  message: Pick<SentMessage, 'body'>,
  world: DeliveryWorld,
): Promise<void> {
  await careForEndpoint(CareOrder.parse(JSON.parse(JSON.stringify(message.body))), world);
}

/** Works off all queues of the room until `untilMs`, turning the clock to what comes next. */
export async function workUntil(world: DeliveryWorld, untilMs: number): Promise<void> {
  for (;;) {
    for (const message of takeReady(world, /^(delivery-|endpoint-care)/)) {
      if (message.queue === 'endpoint-care') await care(message, world);
      else await handle(message, world);
    }
    const next = Math.min(...world.sent.map((it) => it.atMs ?? 0));
    if (next > untilMs) break;
    world.clock.set(Math.max(world.clock.nowMs(), next));
  }
  world.clock.set(Math.max(world.clock.nowMs(), untilMs));
}

/** What PATCH does to the status of an endpoint. Answers the message of its release, unsent. */
export async function putStatus(
  world: DeliveryWorld,
  { tenantId, id, ...rest }: Endpoint,
  status: EndpointStatus,
): Promise<Message | undefined> {
  const endpoint = { ...rest, tenantId, id, status };
  const release = newRelease(endpoint, 'resume', world);
  const commit = await world.db.commit([
    {
      kind: 'update',
      table: 'endpoints',
      key: { pk: tenantId, sk: id },
      update: 'SET #status = :status',
      condition: 'attribute_exists(pk)',
      names: { '#status': 'status' },
      values: { ':status': status },
    },
    ...(status === 'active' ? reopenWrites(endpoint, world, release) : []),
  ]);
  if (!commit.ok) throw new Error(`the status ${status} could not be written`);
  world.endpoints.forget(tenantId, id);
  return status === 'active' ? careMessage(release) : undefined;
}
