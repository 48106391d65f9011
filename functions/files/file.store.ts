import * as z from 'zod';
import { known } from '../shared/form.ts';
import { setFields } from '../shared/set-fields.ts';
import type { Db, Item, Key, Write } from '../shared/world.ts';
import { dueAttributes } from '../timers/due.ts';
import { type AlertFile, FILE_REASONS, FILE_STATES, type Outcomes, sumOf } from './file.ts';
import { FILE_FAULT_CODES, ROW_FAULT_CODES } from './file-fault.ts';
import { ENCODINGS, TERMS_DEFAULT } from './file-terms.ts';

const FileErrorItem = z.object({
  code: z.enum(FILE_FAULT_CODES),
  row: z.number().optional(),
  byte: z.number().optional(),
  detail: z.string(),
});

/** Stored items are read tolerantly: an unknown field is a later release's. */
const FileItem = z.object({
  id: z.templateLiteral(['fil_', z.string()]),
  tenantId: z.string(),
  state: z.enum(FILE_STATES),
  reason: z.enum(FILE_REASONS).optional(),
  name: z.string(),
  bytes: z.number(),
  endpointId: z.templateLiteral(['end_', z.string()]),
  eventType: z.string(),
  idColumn: z.union([z.string(), z.number()]),
  message: z.string().optional(),
  onUnknown: z.enum(['resend', 'stop']),
  format: z.enum(['csv', 'ndjson']).optional(),
  encoding: z.enum(ENCODINGS).optional(),
  onMalformed: z.enum(['ask', 'skip', 'fail']).default(TERMS_DEFAULT.onMalformed),
  maxMalformedShare: z.number().default(TERMS_DEFAULT.maxMalformedShare),
  allowRepeat: z.boolean().default(TERMS_DEFAULT.allowRepeat),
  ratePerSecond: z.number().optional(),
  release: z.enum(['auto', 'manual']).default(TERMS_DEFAULT.release),
  createdAtMs: z.number(),
  alertsAtMs: z.number().optional(),
  fingerprint: z.string().optional(),
  traceparent: z.string().optional(),
  hops: z.number().optional(),
  version: z.number(),
  dueMs: z.number().optional(),
  readings: z.number(),
  leaseMs: z.number().optional(),
  objectVersion: z.string().optional(),
  rows: z.number(),
  alerts: z.number(),
  duplicates: z.number(),
  malformed: z.number(),
  malformedBy: z.partialRecord(z.enum(ROW_FAULT_CODES), z.number()).optional(),
  delivered: z.number(),
  failed: z.number(),
  uncertain: z.number(),
  cancelled: z.number(),
  pending: z.number(),
  blocks: z.number(),
  window: z.number(),
  floor: z.number(),
  readAtMs: z.number().optional(),
  readyAtMs: z.number().optional(),
  completedAtMs: z.number().optional(),
  error: FileErrorItem.optional(),
  closed: z.literal(true).optional(),
  resendFrom: z.number().optional(),
  retries: z.number().optional(),
  readingsBefore: z.number().optional(),
  contentHash: z.string().optional(),
  objectKey: z.string().optional(),
});

/** What names a file: its tenant and its id. */
export interface FileName {
  readonly tenantId: string;
  readonly fileId: string;
}

/** The partition of a file and its blocks. */
export function filePartition({ tenantId, fileId }: FileName): string {
  return `${tenantId}#${fileId}`;
}

/** Where a file lies. */
export function fileKey(name: FileName): Key {
  return { pk: filePartition(name), sk: '#' };
}

/** The file that lies there: `fileKey` backwards. */
export function fileNameOfKey({ pk }: Pick<Key, 'pk'>): FileName {
  const [tenantId = '', fileId = ''] = pk.split('#');
  return { tenantId, fileId };
}

type Update = Extract<Write, { readonly kind: 'update' }>;

const nameOf = ({ tenantId, id }: AlertFile): FileName => ({ tenantId, fileId: id });

/** Refused when the id is taken. */
export function insertFile(file: AlertFile, nowMs: number): Write {
  return {
    kind: 'put',
    table: 'files',
    item: {
      ...fileKey(nameOf(file)),
      ...toFields(file, nowMs),
      listingPk: file.tenantId,
      listingSk: `${String(file.createdAtMs).padStart(13, '0')}#${file.id}`,
    },
    condition: 'attribute_not_exists(pk)',
  };
}

/**
 * Stores what differs of the file from what was seen. Refused when anybody has changed it since,
 * but not by counting: counts that do not differ are left as they are, and so are the fields of a
 * later release.
 */
export function saveFile(seen: AlertFile, file: AlertFile, nowMs: number): Write {
  const { update, names, values } = setFields(changedFields(seen, file, nowMs));
  return {
    kind: 'update',
    table: 'files',
    key: fileKey(nameOf(seen)),
    update,
    condition: '#version = :seen',
    names: { ...names, '#version': 'version' },
    values: { ...values, ':seen': seen.version },
  };
}

/**
 * Adds final outcomes to the counts of `seen`, where users stay pending. Refused when they would
 * not: then this is the last change, which completes the file.
 */
export function addOutcomes(seen: AlertFile, change: Outcomes): Update {
  const taken = sumOf(change);
  // A change that takes nobody moves a user from one outcome to another, also at the end.
  const isRoom = taken === 0 ? 'attribute_exists(pk)' : 'pending > :taken';
  return {
    kind: 'update',
    table: 'files',
    key: fileKey(nameOf(seen)),
    update:
      'ADD delivered :delivered, failed :failed, uncertain :uncertain, ' +
      'cancelled :cancelled, pending :pending',
    condition: isRoom,
    values: {
      ':delivered': change.delivered,
      ':failed': change.failed,
      ':uncertain': change.uncertain,
      ':cancelled': change.cancelled,
      ':pending': -taken,
      ...(taken !== 0 && { ':taken': taken }),
    },
  };
}

/** Counts users as pending again. Refused when it is not delivering. */
export function addReopened(seen: AlertFile, change: Outcomes): Write {
  const adding = addOutcomes(seen, change);
  return {
    ...adding,
    condition: `${adding.condition} AND #state = :state`,
    names: { '#state': 'state' },
    values: { ...adding.values, ':state': 'delivering' },
  };
}

/**
 * Stores a change that comes with the last of some outcomes: it completes or closes the file.
 * Pending users only become fewer, so as long as their number is the one that was seen, all counts
 * are. Refused when it is not, or anybody has changed the file but by counting.
 */
export function settleFile(seen: AlertFile, file: AlertFile, nowMs: number): Write {
  const changed = Object.entries(changedFields(seen, file, nowMs));
  const isCount = (name: string) =>
    (COUNTS as readonly string[]).includes(name) || name === 'version';
  const { update, names, values } = setFields({
    ...Object.fromEntries(changed.filter(([name]) => !isCount(name))),
    pending: file.pending,
  });
  const adds = COUNTS.map((name) => `${name} :${name}`).join(', ');
  const added = COUNTS.map((name) => [`:${name}`, file[name] - seen[name]]);
  return {
    kind: 'update',
    table: 'files',
    key: fileKey(nameOf(seen)),
    update: `${update} ADD #version :one, ${adds}`,
    condition: '#pending = :seen AND #version = :seenVersion',
    names: { ...names, '#version': 'version' },
    values: {
      ...{ ...values, ...Object.fromEntries(added) },
      ...{ ':one': 1, ':seen': seen.pending, ':seenVersion': seen.version },
    },
  };
}

const COUNTS = ['delivered', 'failed', 'uncertain', 'cancelled'] as const;

function changedFields(seen: AlertFile, file: AlertFile, nowMs: number): Item {
  const before: Item = toFields(seen, nowMs);
  const after: Item = toFields(file, nowMs);
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])];
  const differs = (name: string) => JSON.stringify(before[name]) !== JSON.stringify(after[name]);
  return Object.fromEntries(names.filter(differs).map((name) => [name, after[name]]));
}

/** Notes when to look again. Refused when the file has been changed or looked at since `seen`. */
export function markLookedAt(
  seen: AlertFile,
  { dueMs, floor }: { readonly dueMs: number; readonly floor: number },
  nowMs: number,
): Write {
  const key = fileKey(nameOf(seen));
  const { duePk, dueSk } = dueAttributes(key, dueMs, nowMs);
  return {
    kind: 'update',
    table: 'files',
    key,
    update: 'SET dueMs = :due, duePk = :duePk, dueSk = :dueSk, floor = :floor',
    condition: '#state = :state AND dueMs = :seen',
    names: { '#state': 'state' },
    values: {
      ':due': dueMs,
      ':duePk': duePk,
      ':dueSk': dueSk,
      ':floor': floor,
      ':state': seen.state,
      ':seen': seen.dueMs,
    },
  };
}

/** All fields that we may write; an undefined one is removed from the item. */
function toFields(file: AlertFile, nowMs: number) {
  const { dueMs } = file;
  const due = dueMs === undefined ? undefined : dueAttributes(fileKey(nameOf(file)), dueMs, nowMs);
  return { ...file, v: 1, duePk: due?.duePk, dueSk: due?.dueSk };
}

/** The file in a stored item. */
export function toFile(item: Item): AlertFile {
  return FileItem.parse(known(item));
}

/** Undefined when this tenant has no such file. */
export async function findFile(
  db: Pick<Db, 'get'>,
  name: FileName,
): Promise<AlertFile | undefined> {
  const item = await db.get('files', fileKey(name));
  return item && toFile(item);
}
