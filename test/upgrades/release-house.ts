import { AuditMessage } from '../../functions/audit/audit-message.ts';
import { takeAuditStep } from '../../functions/audit/take-step.ts';
import { insertEvent } from '../../functions/events/event.store.ts';
import type { OutboxEvent } from '../../functions/events/event.ts';
import { expireHold } from '../../functions/ledger/expire-hold.ts';
import { holdMessage } from '../../functions/ledger/hold-message.ts';
import { journalKey } from '../../functions/ledger/transaction.store.ts';
import type { GuardedSender } from '../../functions/shared/world.ts';
import { fireTasks } from '../../functions/tasks/fire-tasks.ts';
import { TaskMessage } from '../../functions/tasks/task-message.ts';
import { findEndpointTerms } from '../../functions/tenants/find-limits.ts';
import { eventsTaker } from '../../functions/tenants/take-events.ts';
import { growSet } from '../../functions/webhooks/endpoint.store.ts';
import type { Endpoint } from '../../functions/webhooks/endpoint.ts';
import { relayEvents } from '../../functions/webhooks/relay-events.ts';
import { rememberBursts } from '../../functions/webhooks/remember-bursts.ts';
import { rememberEndpoints, rememberSets } from '../../functions/webhooks/remember-endpoints.ts';
import { AuditHouse, makePast } from '../audit/audit-house.ts';
import { FilesHouse, usersFile } from '../files/files-house.ts';
import type { SentMessage, TestWorld } from '../support/world.ts';
import { schedule, tasksClient } from '../tasks/tasks-house.ts';
import { tenantsInstance } from '../tenants/tenants-api.ts';
import { breakOpen } from '../webhooks/broken.ts';

/** All rooms around one world, with a receiver that answers as it is told. */
export class ReleaseHouse extends FilesHouse {
  status = 200;
  /** Ids of the events that were accepted. */
  readonly accepted: string[] = [];

  constructor(world: TestWorld) {
    super(world);
    const http: GuardedSender = {
      checkUrl: async (url) => url,
      post: async (request) => {
        const { status } = this;
        if (status < 300) this.accepted.push(request.headers['webhook-id'] ?? '');
        return { kind: 'answered', status, headers: {}, sample: new Uint8Array(0), ms: 1 };
      },
    };
    Object.assign(this.doors, { http });
  }

  /** The doors of the relay, too. */
  get all() {
    const { doors } = this;
    return {
      ...doors,
      endpoints: rememberEndpoints(doors),
      endpointSets: rememberSets(doors),
      fastLane: rememberBursts(),
      endpointTerms: (tenantId: string) => findEndpointTerms(doors, tenantId),
      patience: { reconcileAfterSeconds: 120, recheckAfterSeconds: 1_200 },
    };
  }

  override async handle(message: SentMessage): Promise<void> {
    const { doors, world } = this;
    const body = JSON.parse(JSON.stringify(message.body));
    const deadlineMs = world.clock.nowMs() + 60_000;
    if (message.queue === 'hold-expiry') await expireHold(body, doors);
    else if (message.queue === 'tasks') await fireNamed(body, doors);
    else if (message.queue === 'audits') {
      await takeAuditStep(AuditMessage.parse(body), doors, { deadlineMs });
    } else await super.handle(message);
  }

  async emit(tenantId: `ten_${string}`, type: string): Promise<OutboxEvent> {
    const { clock, db, ids } = this.world;
    const id = ids.next('evt');
    const event = { id, tenantId, type, data: '{"n":1}', occurredAtMs: clock.nowMs() };
    await db.commit([insertEvent(event)]);
    await relayEvents([event], this.all as never);
    return event;
  }
}

/** As `tasks/on-due` does with a batch of this message alone. */
async function fireNamed(body: unknown, doors: ReleaseHouse['doors']): Promise<void> {
  const [settled] = await fireTasks([TaskMessage.parse(body)], doors);
  if (settled?.status === 'rejected') throw settled.reason;
}

/** The tasks of a tenant, whose day of events has no limit. */
export function tasksOf(world: TestWorld, tenantId: string) {
  const takeEvents = eventsTaker();
  const doors = { ...world, takeEvents: (asked: never) => takeEvents(world, asked) };
  return tasksClient(doors, { tenantId: tenantId as `ten_${string}` });
}

async function endpointOf(house: ReleaseHouse, tenantId: `ten_${string}`, more?: object) {
  const endpoint = await house.addEndpoint({ tenantId, ...more } as Partial<Endpoint>);
  await house.world.db.commit([growSet(tenantId, 1_000)]);
  return endpoint;
}

/** Something of everything, begun and not ended, as a deployment finds it. Answers what it is. */
export async function makeState(house: ReleaseHouse): Promise<Record<string, string>> {
  const { world } = house;
  const audits = new AuditHouse(world);
  const { tenantId } = audits;
  const past = await makePast(audits);
  await audits.project();
  world.sent.splice(0);
  const admin = tenantsInstance(world);
  const key = await world.secrets.read('admin-key');
  const made = await admin('POST /v1/tenants', { key, body: { name: 'Acme' } });
  const { ask } = tasksOf(world, tenantId);
  const task = await schedule(ask, 100);
  const money = { type: 'debit', accountId: past.a, amount: '2', currency: 'EUR' };
  const payment = await schedule(ask, 100, { type: 'transaction', transaction: money });
  const expiresAt = new Date(world.clock.nowMs() + 90_000).toISOString();
  const terms = { accountId: past.a, amount: '9', currency: 'EUR', destinationAccountId: past.b };
  const { body: hold } = await audits.ledger.post('/v1/holds', { ...terms, expiresAt });
  const { pk } = journalKey(tenantId, hold.id);
  // As ledger/on-posted does it.
  const dueMs = Date.parse(expiresAt);
  await world.queues.send('hold-expiry', [holdMessage({ pk, dueMs })]);
  const endpoint = await endpointOf(house, tenantId as `ten_${string}`, {
    eventTypes: ['order.*'],
  });
  const broken = await endpointOf(house, tenantId as `ten_${string}`, { eventTypes: ['other.*'] });
  await breakOpen(house.all as never, broken);
  house.status = 500;
  const failed = await house.emit(tenantId as `ten_${string}`, 'order.failed');
  for (const it of world.sent.filter(({ queue }) => queue.startsWith('delivery'))) {
    world.sent.splice(world.sent.indexOf(it), 1);
    await house.handle(it);
  }
  const sent = await house.emit(tenantId as `ten_${string}`, 'order.sent');
  const file = await house.upload(endpoint, usersFile(30));
  const upload = world.sent.find(({ queue }) => queue === 'file-events');
  world.sent.splice(world.sent.indexOf(upload as SentMessage), 1);
  await house.handle(upload as SentMessage);
  const unread = await house.upload(endpoint, usersFile(12));
  const audit = await audits.begin();
  return {
    ...{ tenantId, a: past.a, b: past.b, transfer: past.transfer, pending: past.pending },
    ...{ voided: past.voided, reversed: past.reversed, hold: hold.id, audit: audit.id },
    ...{ task: task.id, payment: payment.id, file: file.id, unread: unread.id },
    ...{ endpoint: endpoint.id, broken: broken.id, failed: failed.id, sent: sent.id },
    ...{ otherTenant: made.body.id, otherKey: made.body.apiKey.key },
  };
}
