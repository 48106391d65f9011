import * as z from 'zod';
import { FORM, known, readEach } from '../shared/form.ts';
import { shardOf } from '../shared/ids/derive.ts';
import { setFields } from '../shared/set-fields.ts';
import { sortableMs } from '../shared/sortable.ts';
import { SECOND_MS } from '../shared/units.ts';
import type { Db, Item, Key, World, Write } from '../shared/world.ts';
import { dueAttributes } from '../timers/due.ts';
import {
  expiryMs,
  isOpen,
  LOOK_AFTER_MS,
  RECEIPT_STATES,
  type Receipt,
  type ReceiptState,
} from './receipt.ts';
import { FORWARD_AS_DEFAULT } from './source.ts';

/** Over how many partitions of the index one state of a tenant's receipts is spread. */
export const LISTING_SHARDS = 4;

const StoredTry = z.object({ at: z.int(), end: z.int().optional(), error: z.string().optional() });

/** Stored items are read tolerantly: an unknown field is a later release's. */
const ReceiptItem = z.object({
  id: z.templateLiteral(['rcp_', z.string()]),
  tenant: z.string(),
  source: z.string(),
  status: z.enum(RECEIPT_STATES),
  ts: z.int(),
  type: z.string().optional(),
  headers: z.record(z.string(), z.string()).default({}),
  sha: z.string(),
  bytes: z.int(),
  body: z.instanceof(Uint8Array).optional(),
  fp: z.string(),
  counter: z.string().optional(),
  as: z.string().default(FORWARD_AS_DEFAULT),
  tries: z.array(StoredTry).default([]),
  nextAt: z.int(),
  claim: z.string().optional(),
  event: z.templateLiteral(['evt_', z.string()]).optional(),
  replayOf: z.string().optional(),
  replayKeys: z.array(z.string()).default([]),
  endedAt: z.int().optional(),
  conflicts: z.int().default(0),
  traceparent: z.string().optional(),
  hops: z.int().optional(),
  ttl: z.int().optional(),
});

/** Where a receipt lies. */
export function receiptKey(tenantId: string, receiptId: string): Key {
  return { pk: `${tenantId}#${receiptId}`, sk: '#' };
}

/** The partition of the index `listing` with one share of a tenant's receipts; two are open. */
export function receiptListing(tenantId: string, status: ReceiptState, shard: number): string {
  return `${tenantId}#${isOpen({ status }) ? 'open' : status}#${shard}`;
}

/** All partitions of the index with the receipts of a tenant that have this status. */
export function receiptListings(tenantId: string, status: ReceiptState): string[] {
  const shards = [...Array(LISTING_SHARDS).keys()];
  return shards.map((shard) => receiptListing(tenantId, status, shard));
}

function listingOf({ tenantId, id }: Name, status: ReceiptState): string {
  return receiptListing(tenantId, status, shardOf(id, LISTING_SHARDS));
}

type Name = Pick<Receipt, 'tenantId' | 'id'>;

/** Refused when the same webhook is there already, and its retention is not over. */
export function insertReceipt(receipt: Receipt): Write {
  const { tenantId, id, receivedAtMs } = receipt;
  const key = receiptKey(tenantId, id);
  return {
    kind: 'put',
    table: 'inbox',
    condition: 'attribute_not_exists(pk) OR #ttl <= :now',
    names: { '#ttl': 'ttl' },
    values: { ':now': Math.floor(receivedAtMs / SECOND_MS) },
    item: {
      ...key,
      v: 1,
      id,
      tenant: tenantId,
      source: receipt.sourceId,
      status: receipt.status,
      ts: receivedAtMs,
      type: receipt.contentType,
      headers: receipt.headers,
      sha: receipt.sha256,
      bytes: receipt.bytes,
      body: receipt.body,
      fp: receipt.fingerprint,
      counter: receipt.counter,
      as: receipt.forwardAs === FORWARD_AS_DEFAULT ? undefined : receipt.forwardAs,
      nextAt: receipt.nextAtMs,
      traceparent: receipt.traceparent,
      hops: receipt.hops || undefined,
      listingPk: listingOf(receipt, receipt.status),
      listingSk: `${sortableMs(receivedAtMs)}#${id}`,
      ...dueAttributes(key, receivedAtMs + LOOK_AFTER_MS, receivedAtMs),
    },
  };
}

/** Whoever wants to process a receipt, and until when it is theirs. */
export interface Claiming {
  readonly pk: string;
  readonly claim: string;
  readonly nowMs: number;
  readonly untilMs: number;
}

/** A message may come early by the part of a second that it cannot carry, and two more. */
export const EARLY_MS_MAX = 3 * SECOND_MS;

/**
 * Refused unless the receipt waits for an attempt, or the one who made it is lost. Answers it as it
 * is then, with one try more. Its `due` stays: an attempt is over long before.
 */
export function claimReceipt({ pk, claim, nowMs, untilMs }: Claiming): Write {
  return {
    kind: 'update',
    table: 'inbox',
    key: { pk, sk: '#' },
    update:
      'SET #status = :processing, claim = :claim, claimEnd = :until, ' +
      'tries = list_append(if_not_exists(tries, :none), :begun)',
    // What a later release has written in another form is left as it is.
    condition:
      '(attribute_not_exists(v) OR v <= :form) AND ' +
      '((#status = :pending AND nextAt <= :soon) OR (#status = :processing AND claimEnd < :now))',
    names: { '#status': 'status' },
    values: {
      ':form': FORM,
      ':processing': 'processing',
      ':pending': 'pending',
      ':claim': claim,
      ':until': untilMs,
      ':now': nowMs,
      ':soon': nowMs + EARLY_MS_MAX,
      ':none': [],
      ':begun': [{ at: nowMs }],
    },
    answersItem: true,
  };
}

/** Refused when another one has claimed it since: who comes too late changes nothing. */
function ifClaimed(receipt: Receipt, fields: Readonly<Record<string, unknown>>): Write {
  const { update, names, values } = setFields({ ...fields, claim: undefined, claimEnd: undefined });
  return {
    kind: 'update',
    table: 'inbox',
    key: receiptKey(receipt.tenantId, receipt.id),
    update,
    condition: '#claim = :mine',
    names,
    values: { ...values, ':mine': receipt.claim },
  };
}

function triesOf({ tries }: Pick<Receipt, 'tries'>) {
  return tries.map(({ atMs, endedAtMs, error }) => ({ at: atMs, end: endedAtMs, error }));
}

/** The end of a receipt that is claimed: `ended` is the receipt after it. */
export function saveEnded(ended: Receipt, nowMs: number): Write {
  return ifClaimed(ended, {
    status: ended.status,
    tries: triesOf(ended),
    event: ended.eventId,
    endedAt: nowMs,
    ttl: Math.floor(expiryMs(ended, nowMs) / SECOND_MS),
    listingPk: listingOf(ended, ended.status),
    duePk: undefined,
    dueSk: undefined,
  });
}

/** A failed attempt of a receipt that is claimed: the next one may be made at its `nextAtMs`. */
export function saveRetry(receipt: Receipt, nowMs: number): Write {
  const { nextAtMs } = receipt;
  const due = dueAttributes(receiptKey(receipt.tenantId, receipt.id), nextAtMs, nowMs);
  return ifClaimed(receipt, {
    status: 'pending',
    tries: triesOf(receipt),
    nextAt: nextAtMs,
    ...due,
  });
}

/** A replay, and by what whoever asks for it knows its own. */
export interface Reopening {
  readonly replayKeys: readonly string[];
  readonly nowMs: number;
  readonly claim: string;
}

/**
 * Refused when the receipt has changed since it was read. Opens it again, as a replay. `claim`
 * stays until a worker has its own.
 */
export function saveReopened(before: Receipt, { replayKeys, nowMs, claim }: Reopening): Write {
  const key = receiptKey(before.tenantId, before.id);
  const { update, names, values } = setFields({
    claim,
    status: 'pending',
    tries: undefined,
    nextAt: nowMs,
    event: undefined,
    replayOf: before.eventId ?? before.replayOf,
    replayKeys: replayKeys.length > 0 ? replayKeys : undefined,
    endedAt: undefined,
    ttl: undefined,
    listingPk: listingOf(before, 'pending'),
    ...dueAttributes(key, nowMs + LOOK_AFTER_MS, nowMs),
  });
  return {
    kind: 'update',
    table: 'inbox',
    key,
    update,
    condition: '#status = :was AND #endedAt = :ended',
    names,
    values: { ...values, ':was': before.status, ':ended': before.endedAtMs },
  };
}

/** Counts another webhook under the same id. */
export function countConflict({ tenantId, id }: Name): Write {
  return {
    kind: 'update',
    table: 'inbox',
    key: receiptKey(tenantId, id),
    update: 'ADD conflicts :one',
    condition: 'attribute_exists(pk)',
    values: { ':one': 1 },
  };
}

/** The receipt in a stored item. */
export function toReceipt(item: Item): Receipt {
  const stored = ReceiptItem.parse(known(item));
  const { id, status, headers, bytes, body, counter, claim, replayOf, replayKeys } = stored;
  const { conflicts, traceparent, hops } = stored;
  return {
    ...{ id, status, headers, bytes, body, counter, claim, replayOf, replayKeys },
    ...{ conflicts, traceparent, hops },
    tenantId: stored.tenant,
    sourceId: stored.source,
    receivedAtMs: stored.ts,
    contentType: stored.type,
    sha256: stored.sha,
    fingerprint: stored.fp,
    forwardAs: stored.as,
    tries: stored.tries.map(({ at, end, error }) => ({ atMs: at, endedAtMs: end, error })),
    nextAtMs: stored.nextAt,
    eventId: stored.event,
    endedAtMs: stored.endedAt,
    expiresAtMs: stored.ttl === undefined ? undefined : stored.ttl * SECOND_MS,
  };
}

/** Undefined when the tenant has no such receipt, or its retention is over. */
export async function findReceipt(
  db: Pick<Db, 'get'>,
  { tenantId, id }: { readonly tenantId: string; readonly id: string },
  nowMs: number,
): Promise<Receipt | undefined> {
  const item = await db.get('inbox', receiptKey(tenantId, id));
  return item && unlessExpired(toReceipt(item), nowMs);
}

/** The receipts behind the rows of a list, by id. Left out is what cannot be read. */
export async function findReceipts(
  { clock, db, log }: Pick<World, 'clock' | 'db' | 'log'>,
  rows: readonly Item[],
): Promise<ReadonlyMap<string, Receipt>> {
  const items = await db.getAll(
    rows.map(({ pk }) => ({ table: 'inbox', pk: String(pk), sk: '#' })),
  );
  const nowMs = clock.nowMs();
  const found = readEach(items, (it) => unlessExpired(toReceipt(it), nowMs), { log });
  return new Map(found.flatMap((it) => (it ? [[it.id, it]] : [])));
}

/** DynamoDB takes days to remove what has ended. */
function unlessExpired(receipt: Receipt, nowMs: number): Receipt | undefined {
  const { expiresAtMs = Infinity } = receipt;
  return nowMs < expiresAtMs ? receipt : undefined;
}
