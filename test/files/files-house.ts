import * as z from 'zod';
import { BlockMessage } from '../../functions/files/block-message.ts';
import { deliverBlock } from '../../functions/files/deliver-block.ts';
import { fileKey, findFile, insertFile } from '../../functions/files/file.store.ts';
import { type AlertFile, type FileDraft, newFile } from '../../functions/files/file.ts';
import { uploadKey } from '../../functions/files/file-keys.ts';
import { termsOf } from '../../functions/files/file-terms.ts';
import { CareMessage, takeCare } from '../../functions/files/take-care.ts';
import { takeUpload } from '../../functions/files/take-upload.ts';
import { UploadMessage } from '../../functions/files/upload-message.ts';
import { openIndexScan } from '../../functions/shared/aws/index-scan.ts';
import type { Uploads } from '../../functions/shared/bucket.ts';
import type { Call, Contract, Route } from '../../functions/shared/http/route.ts';
import { readMasterKey, seal } from '../../functions/shared/sealed.ts';
import { msOfSortable } from '../../functions/shared/sortable.ts';
import { HOUR_MS, SECOND_MS } from '../../functions/shared/units.ts';
import type { GuardedSender, OutboundRequest, World } from '../../functions/shared/world.ts';
import { DeliveryOrder } from '../../functions/webhooks/attempt-message.ts';
import { CareOrder, careForEndpoint } from '../../functions/webhooks/care-for-endpoint.ts';
import { deliverWebhook } from '../../functions/webhooks/deliver-webhook.ts';
import { DELIVERY_SHARDS, deliveryPartition } from '../../functions/webhooks/delivery.store.ts';
import { insertEndpoint } from '../../functions/webhooks/endpoint.store.ts';
import { type Endpoint, secretContext } from '../../functions/webhooks/endpoint.ts';
import { rememberEndpoints } from '../../functions/webhooks/remember-endpoints.ts';
import { newTenant, type SentMessage, type TestWorld, testWorld } from '../support/world.ts';

/** What one receiver got, in the order of arrival. */
export interface Received {
  readonly atMs: number;
  readonly eventId: string;
  readonly body: string;
  readonly userId: string;
  readonly possibleDuplicate: boolean;
  readonly hops: string | undefined;
}

/** How a receiver answers one alert: a status, no answer after it got it, or nothing at all. */
export type Reply = number | { readonly status: number; readonly retryAfter: string } | 'hangs';

type Doors = Omit<World, 'deadLetters'> & Pick<TestWorld, 'clock'> & { readonly uploads: Uploads };

/** The routes of files do with what is behind these doors. */
type FileRoute = Pick<Route<Doors>, 'answer'>;

const ALERT = z.object({ data: z.object({ userId: z.string() }) });
const WORKER_MS = 60 * SECOND_MS;
const PARSER_MS = 900 * SECOND_MS;

/** The rooms around a file in one test: messages, the sweeper and a receiver, without a cloud. */
export class FilesHouse {
  readonly received: Received[] = [];
  /** Copies of each user's alert since `received` was last emptied. */
  readonly #seen = new Map<string, number>();
  /** How the receiver answers; `nth` counts the copies of one alert from 1. */
  reply: (userId: string, nth: number) => Reply = () => 200;
  readonly world: TestWorld;
  readonly doors: Doors;

  static async open(): Promise<FilesHouse> {
    return new FilesHouse(await testWorld());
  }

  constructor(world: TestWorld) {
    this.world = world;
    const http: GuardedSender = {
      checkUrl: async (url) => url,
      post: (request) => this.#receive(request),
    };
    const uploads: Uploads = {
      presignPost: async ({ key }) => {
        return { method: 'POST', url: 'http://127.0.0.1/tests', fields: { key } };
      },
    };
    this.doors = { ...world, http, uploads };
  }

  /** A new tenant's endpoint, as if it was made by the API. */
  async addEndpoint(given: Partial<Endpoint> = {}): Promise<Endpoint> {
    const { clock, db, ids, secrets } = this.world;
    const draft: Endpoint = {
      id: ids.next('end'),
      tenantId: newTenant(this.world),
      url: 'http://127.0.0.1:4000/',
      status: 'active',
      retry: { maxAttempts: 3, scheduleSeconds: [5] },
      timeoutMs: 10_000,
      onUnknown: 'resend',
      secrets: [],
      createdAtMs: clock.nowMs(),
      ...given,
    };
    const masterKey = readMasterKey(await secrets.read('master-key'));
    const plaintext = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;
    const sealed = seal(masterKey, { plaintext, context: secretContext(draft) }, ids);
    const endpoint = { ...draft, secrets: [{ sealed }] };
    await db.commit([insertEndpoint(endpoint)]);
    return endpoint;
  }

  /** A file that was announced and uploaded. Its event is on its way. */
  async upload(
    endpoint: Endpoint,
    content: string | Buffer,
    given: Partial<FileDraft> = {},
  ): Promise<AlertFile> {
    const { clock, db, ids, objects } = this.world;
    const draft: FileDraft = {
      ...termsOf({}, endpoint),
      id: ids.next('fil'),
      tenantId: endpoint.tenantId,
      name: 'users.csv',
      bytes: Buffer.byteLength(content),
      endpointId: endpoint.id,
      fingerprint: undefined,
      ...given,
    };
    const file = newFile(draft, clock.nowMs());
    await db.commit([insertFile(file, clock.nowMs())]);
    objects.set(uploadKey(file), Buffer.from(content));
    const detail = { object: { key: uploadKey(file) } };
    await this.world.queues.send('file-events', [{ body: { detail } }]);
    return file;
  }

  async find({ tenantId, id }: AlertFile): Promise<AlertFile> {
    const file = await findFile(this.world.db, { tenantId, fileId: id });
    if (!file) throw new Error(`no file ${id}`);
    return file;
  }

  /** What a route answers that is asked for the file, and for nothing else. */
  async act(route: FileRoute, { tenantId, id }: AlertFile, doors = this.doors) {
    const asked = { tenantId, params: { id }, allows: () => true };
    return route.answer(asked as unknown as Call<Contract>, doors);
  }

  /** Does the work of one message, as its Lambda would. */
  async handle({ queue, body }: SentMessage, doors: Doors = this.doors): Promise<void> {
    const nowMs = this.world.clock.nowMs();
    const message = JSON.parse(JSON.stringify(body));
    if (queue === 'file-events') {
      await takeUpload(UploadMessage.parse(message), doors, { deadlineMs: nowMs + PARSER_MS });
    } else if (queue === 'file-blocks') {
      const world = { ...doors, endpoints: rememberEndpoints(doors) };
      await deliverBlock(BlockMessage.parse(message), world, { deadlineMs: nowMs + WORKER_MS });
    } else if (queue === 'file-care') {
      await takeCare(CareMessage.parse(message), doors, { deadlineMs: nowMs + WORKER_MS });
    } else if (queue === 'endpoint-care') {
      const world = { ...doors, endpoints: rememberEndpoints(doors) };
      await careForEndpoint(CareOrder.parse(message), world);
    } else {
      const order = DeliveryOrder.parse(message);
      const world = { ...doors, endpoints: rememberEndpoints(doors) };
      await deliverWebhook(order, world, { deadlineMs: nowMs + WORKER_MS });
    }
  }

  /** Does the work of all messages whose time has come, side by side. */
  async handleAll(): Promise<void> {
    const messages: SentMessage[] = [];
    for (let it = this.takeMessage(); it; it = this.takeMessage()) messages.push(it);
    await Promise.all(messages.map((message) => this.handle(message)));
  }

  /** The next message whose time has come. */
  takeMessage(): SentMessage | undefined {
    const { clock, sent } = this.world;
    const at = sent.findIndex(({ atMs = 0 }) => atMs <= clock.nowMs());
    return at < 0 ? undefined : sent.splice(at, 1)[0];
  }

  /** Lets messages and time run until it is so. */
  async runUntil(isSo: () => boolean | Promise<boolean>): Promise<void> {
    const { clock, sent } = this.world;
    while (!(await isSo())) {
      const message = this.takeMessage();
      if (message) await this.handle(message);
      else if (sent.length === 0) throw new Error('nothing is left to do');
      else clock.set(Math.ceil(Math.min(...sent.map(({ atMs = 0 }) => atMs))));
    }
  }

  /** Lets messages, time and the sweeper run until the file is at its end. */
  async settle(file: AlertFile): Promise<AlertFile> {
    const endMs = this.world.clock.nowMs() + 8 * HOUR_MS;
    while (this.world.clock.nowMs() < endMs) {
      const message = this.takeMessage();
      if (message) {
        await this.handle(message);
        continue;
      }
      const now = await this.find(file);
      if (now.dueMs === undefined) return now;
      const { clock, sent } = this.world;
      const due = [...(await this.#dueDeliveries(file)), ...(await this.#dueCare(file))];
      const times = [...sent.map(({ atMs = 0 }) => atMs), ...due.map((it) => it.dueMs)];
      clock.set(Math.max(clock.nowMs() + 1, Math.min(now.dueMs, ...times)));
      await this.sweep(now);
      for (const body of due.filter((it) => it.dueMs <= clock.nowMs())) {
        const queue = 'care' in body ? 'endpoint-care' : 'delivery-slow';
        await this.handle({ queue, body });
      }
    }
    throw new Error(`after eight hours the file is ${JSON.stringify(await this.find(file))}`);
  }

  /** What the sweeper sends for the deliveries of the file's endpoint, when they are due. */
  async #dueDeliveries({ tenantId, endpointId }: AlertFile) {
    const due = openIndexScan(this.world.tables, this.world.client);
    const { items, next } = await due.scan({ table: 'deliveries', index: 'due' });
    if (next) throw new Error('more is due than fits a page');
    const shards = Array.from({ length: DELIVERY_SHARDS }, (_, shard) => shard);
    const pks = new Set(shards.map((shard) => deliveryPartition(tenantId, endpointId, shard)));
    return items
      .filter(({ pk }) => pks.has(String(pk)))
      .map(({ pk, sk, dueSk }) => ({ v: 1, pk, sk, dueMs: msOfSortable(String(dueSk)) }));
  }

  /** What it sends for probes and releases of that endpoint. */
  async #dueCare({ tenantId, endpointId }: AlertFile) {
    const page = await this.world.db.query({ table: 'endpoints', pk: `${tenantId}#${endpointId}` });
    return page.items
      .filter(({ duePk }) => duePk !== undefined)
      .map(({ pk, sk, due }) => ({ v: 1, pk, sk, dueMs: Number(due), care: true }));
  }

  /** What the sweeper does when the file is due. */
  async sweep({ tenantId, id, dueMs }: AlertFile): Promise<void> {
    if (dueMs === undefined || dueMs > this.world.clock.nowMs()) return;
    const { pk, sk } = fileKey({ tenantId, fileId: id });
    await this.handle({ queue: 'file-care', body: { v: 1, pk, sk, dueMs } });
  }

  /** How often each user was alerted. */
  copies(): Map<string, number> {
    const counts = new Map<string, number>();
    for (const { userId } of this.received) counts.set(userId, (counts.get(userId) ?? 0) + 1);
    return counts;
  }

  async #receive({
    headers,
    body,
    stillWanted,
  }: OutboundRequest): ReturnType<GuardedSender['post']> {
    if (stillWanted?.() === false) return { kind: 'abandoned', ms: 0 };
    const text = Buffer.from(body).toString();
    const { userId } = ALERT.parse(JSON.parse(text)).data;
    if (this.received.length === 0) this.#seen.clear();
    const nth = (this.#seen.get(userId) ?? 0) + 1;
    this.#seen.set(userId, nth);
    const reply = this.reply(userId, nth);
    this.received.push({
      atMs: this.world.clock.nowMs(),
      eventId: headers['webhook-id'] ?? '',
      body: text,
      userId,
      possibleDuplicate: headers['webhook-possible-duplicate'] === '1',
      hops: headers['webhook-hops'],
    });
    if (reply === 'hangs') return { kind: 'unknown', error: 'timeout', ms: 10_000 };
    const { status, retryAfter } =
      typeof reply === 'number' ? { status: reply, retryAfter: undefined } : reply;
    return {
      kind: 'answered',
      status,
      headers: retryAfter === undefined ? {} : { 'retry-after': retryAfter },
      sample: new Uint8Array(0),
      ms: 1,
    };
  }
}

/** A file of users `u0` to `u<count-1>`, each with a name. */
export function usersFile(count: number): string {
  const rows = Array.from({ length: count }, (_, i) => `u${i},"Name ${i}"\n`);
  return `user_id,name\n${rows.join('')}`;
}
