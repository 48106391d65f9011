import { createHmac } from 'node:crypto';
import type { DailyEvents } from '../../functions/events/take-day.ts';
import {
  deleteSourceById,
  rotateSourceSecret,
  updateSource,
} from '../../functions/inbox/change-source.ts';
import { createSource } from '../../functions/inbox/create-source.ts';
import { createWebhook } from '../../functions/inbox/create-webhook.ts';
import { forwardReceipt } from '../../functions/inbox/forward-receipt.ts';
import {
  type Deliveries,
  getWebhook,
  getWebhookBody,
  listWebhooks,
} from '../../functions/inbox/read-receipts.ts';
import { getSource, listSources } from '../../functions/inbox/read-sources.ts';
import type { RetryPlan } from '../../functions/inbox/receipt.ts';
import { receiveWebhook } from '../../functions/inbox/receive-webhook.ts';
import { type KnownSources, rememberSources } from '../../functions/inbox/remember-source.ts';
import { replayFailed } from '../../functions/inbox/send-failed-again.ts';
import { replayWebhook } from '../../functions/inbox/send-receipt-again.ts';
import type { SourceTokens } from '../../functions/inbox/store-receipt.ts';
import type { Route } from '../../functions/shared/http/route.ts';
import { SECOND_MS } from '../../functions/shared/units.ts';
import { dailyEventsReader } from '../../functions/tenants/find-limits.ts';
import { eventsTaker } from '../../functions/tenants/take-events.ts';
import { tokenTaker } from '../../functions/tenants/take-token.ts';
import { findStates } from '../../functions/webhooks/find-states.ts';
import { checkInbox } from '../support/invariants/inbox.ts';
import { scanTable } from '../support/invariants/snapshot.ts';
import { type Ask, type RoomAnswer, type RoomBody, roomClient } from '../support/room-client.ts';
import { newTenant, type TestWorld, testWorld } from '../support/world.ts';

export type InboxWorld = TestWorld &
  SourceTokens &
  DailyEvents &
  Deliveries & {
    readonly sources: KnownSources;
    readonly takeFailure: SourceTokens['takeToken'];
    dailyEventsOf(tenantId: string): Promise<number | undefined>;
    readonly apiBacklogMax: number;
    readonly retryPlan: RetryPlan;
  };

/** The doors of inbox/api, inbox/source-api and inbox/on-receipt, as of one instance of each. */
export async function inboxWorld(): Promise<InboxWorld> {
  return asInstance(await testWorld());
}

/** Another instance: it knows no sources yet, and has reserved no tokens. */
export function asInstance(world: TestWorld): InboxWorld {
  const take = tokenTaker();
  const takeOfFailed = tokenTaker();
  const takeEvents = eventsTaker();
  const readDailyEvents = dailyEventsReader();
  return {
    ...world,
    sources: rememberSources(),
    apiBacklogMax: 1_000,
    retryPlan: { maxAttempts: 5, baseSeconds: 5, maxSeconds: 300 },
    takeToken: (name, limit) => take(world, name, limit),
    takeFailure: (name, limit) => takeOfFailed(world, name, limit),
    takeEvents: (asked) => takeEvents(world, asked),
    dailyEventsOf: (tenantId) => readDailyEvents(world, tenantId),
    findStates: (event) => findStates(world, event),
  };
}

const ROUTES = [
  ...[createSource, listSources, getSource, updateSource, deleteSourceById, rotateSourceSecret],
  ...[receiveWebhook, createWebhook, listWebhooks, getWebhook, getWebhookBody, replayWebhook],
  replayFailed,
] as Route<InboxWorld>[];

/** A tenant of its own, unless one is named, and whoever calls on its behalf. */
export function inboxClient(
  world: InboxWorld,
  tenantId = newTenant(world),
  caller: { readonly dailyEvents?: number } = {},
) {
  const ask: Ask = roomClient(world, ROUTES, { tenantId, allows: () => true, ...caller });
  return { tenantId, ask };
}

export const SECRET = 'It is a secret to everybody';

/** Creates a source; throws when it is refused. */
export async function newSource(ask: Ask, terms: object = {}): Promise<RoomBody> {
  const body = { name: 'Shop', scheme: 'github', secret: SECRET, ...terms };
  const made = await ask('POST /v1/sources', { body });
  if (made.status !== 201) throw new Error(made.text);
  return made.body;
}

/** What GitHub writes beside a body. */
export function githubHeaders(text: string, secret = SECRET): Record<string, string> {
  const mac = createHmac('sha256', secret).update(text).digest('hex');
  return { 'x-hub-signature-256': `sha256=${mac}`, 'x-github-event': 'push' };
}

/** Sends a webhook as GitHub does. */
export async function push(
  ask: Ask,
  source: Pick<RoomBody, 'id'>,
  text: string,
): Promise<RoomAnswer> {
  return ask(`POST /v1/in/${source.id}`, { text, headers: githubHeaders(text) });
}

/** A webhook that was taken in, and its message, which nobody has handled. */
export async function takeIn(
  { ask, world }: { readonly ask: Ask; readonly world: InboxWorld },
  { text = '{"a":1}', terms = {} }: { readonly text?: string; readonly terms?: object } = {},
) {
  const { body } = await push(ask, await newSource(ask, terms), text);
  const [message] = world.sent.splice(0);
  const { pk, dueMs } = message?.body ?? {};
  return { id: body.id, message: { pk: String(pk), dueMs: Number(dueMs) } };
}

/** What Standard Webhooks writes beside a body. */
export function standardHeaders(text: string, { id, secret, nowMs }: StandardSigning) {
  const seconds = Math.floor(nowMs / SECOND_MS);
  const key = Buffer.from(secret.replace(/^whsec_/, ''), 'base64');
  const mac = createHmac('sha256', key).update(`${id}.${seconds}.${text}`).digest('base64');
  return {
    'webhook-id': id,
    'webhook-timestamp': String(seconds),
    'webhook-signature': `v1,${mac}`,
  };
}

interface StandardSigning {
  readonly id: string;
  readonly secret: string;
  readonly nowMs: number;
}

/** Handles every message that is in the queue, as one worker would. */
export async function work(world: InboxWorld): Promise<void> {
  const messages = world.sent.splice(0).filter(({ queue }) => queue === 'inbox');
  const deadlineMs = world.clock.nowMs() + 30 * SECOND_MS;
  for (const { body } of messages) {
    await forwardReceipt({ pk: String(body.pk), dueMs: Number(body.dueMs) }, world, { deadlineMs });
  }
}

/** What R1 finds wrong in all that the file has done so far. */
export async function inboxFaults({ client, tables }: TestWorld) {
  const [inbox, outbox] = await Promise.all([
    scanTable(client, tables.inbox),
    scanTable(client, tables.outbox),
  ]);
  return checkInbox({ inbox, outbox });
}

/** The events that a tenant's webhooks have become so far, oldest first. */
export async function eventsOf({ client, tables }: TestWorld, tenantId: string) {
  const items = await scanTable(client, tables.outbox);
  const own = items.filter((it) => it.tenant === tenantId);
  return own
    .map((it) => ({ id: String(it.id), type: String(it.type), data: JSON.parse(String(it.data)) }))
    .sort((a, b) => (a.id < b.id ? -1 : 1));
}
