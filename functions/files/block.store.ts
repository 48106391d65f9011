import * as z from 'zod';
import { known } from '../shared/form.ts';
import { pagesOf } from '../shared/page.ts';
import { setFields } from '../shared/set-fields.ts';
import type { Db, Item, Key, Write } from '../shared/world.ts';
import { type Bitmap, countBits, emptyBitmap } from './bitmap.ts';
import type { Block } from './block.ts';
import { type FileName, filePartition } from './file.store.ts';
import type { AlertFile } from './file.ts';
import { sixDigits } from './file-keys.ts';

const Bits = z.instanceof(Uint8Array).optional();

/**
 * Stored items are read tolerantly: an unknown field is a later release's. Names are short and
 * empty bitmaps left out, because a block is written once per batch and must stay below 1 KB.
 */
const BlockItem = z.object({
  sk: z.string(),
  n: z.number(),
  att: Bits,
  done: Bits,
  fail: Bits,
  unk: Bits,
  sv: z.number().default(0),
  sDone: Bits,
  sFail: Bits,
  sUnk: Bits,
  sGone: Bits,
  lease: z.number().optional(),
  token: z.string().optional(),
  notBefore: z.number().optional(),
  pv: z.number().optional(),
  finished: z.boolean().default(false),
  stopped: z.literal(true).optional(),
  again: z.object({ n: z.number(), below: z.number() }).optional(),
  at: z.number().optional(),
});

const PREFIX = 'B#';

/** Where a block lies: in the partition of its file. */
export function blockKey(name: FileName, number: number): Key {
  return { pk: filePartition(name), sk: `${PREFIX}${sixDigits(number)}` };
}

const keyOf = (file: AlertFile, { number }: Block): Key =>
  blockKey({ tenantId: file.tenantId, fileId: file.id }, number);

/** Stores results and what is about to be sent. Refused when the worker has lost the block. */
export function saveProgress(file: AlertFile, block: Block): Write {
  return saveBits(file, block, { set: {}, remove: [] });
}

/** Stores results and gives the block back until it is to go on. Refused as `saveProgress`. */
export function releaseBlock(
  file: AlertFile,
  block: Block,
  { notBeforeMs, paceVersion }: Required<Pick<Block, 'notBeforeMs' | 'paceVersion'>>,
): Write {
  const set = { notBefore: notBeforeMs, ...(paceVersion !== undefined && { pv: paceVersion }) };
  return saveBits(file, block, { set, remove: ['lease', 'token'] });
}

/** Stores the last results. Refused as `saveProgress`. */
export function finishBlock(file: AlertFile, block: Block): Write {
  return saveBits(file, block, { set: { finished: true }, remove: ['lease', 'token'] });
}

/**
 * Stores the end of a block of a cancelled file. Refused when it is finished, or while a worker
 * may be at it.
 */
export function stopBlock(file: AlertFile, block: Block, nowMs: number): Write {
  const set = { finished: true, stopped: true };
  const free = 'attribute_not_exists(#lease) OR #lease < :now';
  const write = saveBits(file, block, { set, remove: ['lease', 'token'] });
  const { ':mine': _mine, ...values } = write.values ?? {};
  return {
    ...write,
    condition: `attribute_not_exists(#finished) AND (${free})`,
    values: { ...values, ':now': nowMs },
  };
}

function saveBits(
  file: AlertFile,
  block: Block,
  { set, remove }: { readonly set: Item; readonly remove: readonly string[] },
): Write {
  const { attempted, delivered, retried, uncertain } = block;
  const fields = {
    ...bitFields({ att: attempted, done: delivered, fail: retried, unk: uncertain }),
    ...set,
  };
  const removed = Object.fromEntries(remove.map((name) => [name, undefined]));
  const { update, names, values } = setFields({ ...fields, ...removed });
  return {
    kind: 'update',
    table: 'files',
    key: keyOf(file, block),
    update,
    condition: '#token = :mine',
    names: { ...names, '#token': 'token' },
    values: { ...values, ':mine': block.token },
  };
}

/** Without the empty ones. `att` is always there: a bit of it may be taken back. */
function bitFields(bitmaps: Readonly<Record<string, Bitmap>>): Record<string, Bitmap> {
  const used = Object.entries(bitmaps).filter(([name, it]) => name === 'att' || countBits(it) > 0);
  return Object.fromEntries(used);
}

/**
 * Stores final outcomes of retried users, apart from what the block's worker writes. Refused
 * when somebody else has stored some since the block was read.
 */
export function saveSettled(file: AlertFile, block: Block): Write {
  const { version, delivered, failed, uncertain, cancelled } = block.settled;
  return {
    kind: 'update',
    table: 'files',
    key: keyOf(file, block),
    update: 'SET sv = :sv, sDone = :done, sFail = :fail, sUnk = :unk, sGone = :gone',
    condition: version === 0 ? 'attribute_not_exists(sv)' : 'sv = :seen',
    values: {
      ':sv': version + 1,
      ':done': delivered,
      ':fail': failed,
      ':unk': uncertain,
      ':gone': cancelled,
      ...(version > 0 && { ':seen': version }),
    },
  };
}

/**
 * Stores users as pending again who were failed or uncertain. Refused when anybody has stored
 * outcomes since the block was seen, or while a worker has it.
 */
export function saveReopened(file: AlertFile, seen: Block, block: Block): Write {
  const settled = saveSettled(file, block);
  const unchanged = `${isAsSeen('fail', seen.retried)} AND ${isAsSeen('unk', seen.uncertain)}`;
  return {
    ...settled,
    update:
      `${'update' in settled ? settled.update : ''}, ` +
      '#fail = :retried, #unk = :uncertain, #again = :again',
    condition: `(${settled.condition}) AND attribute_not_exists(#token) AND ${unchanged}`,
    names: { '#fail': 'fail', '#unk': 'unk', '#token': 'token', '#again': 'again' },
    values: {
      ...settled.values,
      ':again': { n: block.sentAgain?.retry, below: block.sentAgain?.below },
      ...{ ':retried': block.retried, ':uncertain': block.uncertain },
      ...{ ':failSeen': seen.retried, ':unkSeen': seen.uncertain },
    },
  } as Write;
}

/** The condition that a bitmap is as it was seen, where an empty one may be absent. */
function isAsSeen(name: string, bits: Bitmap): string {
  const same = `#${name} = :${name}Seen`;
  return countBits(bits) > 0 ? same : `(attribute_not_exists(#${name}) OR ${same})`;
}

/**
 * Notes users whose alerts have deliveries of their own, where a restore has torn the block from
 * them, or a worker died before the block heard of them. Refused when anybody has written
 * meanwhile, or while a worker may be at it, who would overwrite the notes with what it knows;
 * one that was only frozen can store nothing more.
 */
export function saveRetried(
  name: FileName,
  { seen, block }: { readonly seen: Block; readonly block: Block },
  nowMs: number,
): Write {
  const unchanged = [
    isAsSeen('att', seen.attempted),
    isAsSeen('done', seen.delivered),
    isAsSeen('fail', seen.retried),
    isAsSeen('unk', seen.uncertain),
  ].join(' AND ');
  const free = 'attribute_not_exists(#lease) OR #lease < :now';
  return {
    kind: 'update',
    table: 'files',
    key: blockKey(name, block.number),
    update: 'SET #att = :att, #fail = :fail REMOVE #lease, #token',
    condition: `attribute_exists(pk) AND ${unchanged} AND (${free})`,
    names: {
      ...{ '#att': 'att', '#done': 'done', '#fail': 'fail', '#unk': 'unk' },
      ...{ '#lease': 'lease', '#token': 'token' },
    },
    values: {
      ...{ ':att': block.attempted, ':fail': block.retried, ':now': nowMs },
      ...{ ':attSeen': seen.attempted, ':doneSeen': seen.delivered },
      ...{ ':failSeen': seen.retried, ':unkSeen': seen.uncertain },
    },
  };
}

/** The block in a stored item. */
export function toBlock(item: Item): Block {
  const stored = BlockItem.parse(known(item));
  const { sk, n, sv, lease, token, notBefore, pv, finished, stopped, again, at, ...bits } = stored;
  const none = emptyBitmap(n);
  return {
    number: Number(sk.slice(PREFIX.length)),
    users: n,
    attempted: bits.att ?? none,
    delivered: bits.done ?? none,
    retried: bits.fail ?? none,
    uncertain: bits.unk ?? none,
    settled: {
      version: sv,
      delivered: bits.sDone ?? none,
      failed: bits.sFail ?? none,
      uncertain: bits.sUnk ?? none,
      cancelled: bits.sGone ?? none,
    },
    leaseMs: lease,
    token,
    notBeforeMs: notBefore,
    paceVersion: pv,
    atMs: at,
    finished,
    stopped,
    sentAgain: again && { retry: again.n, below: again.below },
  };
}

/** Undefined when nobody has touched the block yet. */
export async function findBlock(
  db: Pick<Db, 'get'>,
  name: FileName,
  number: number,
): Promise<Block | undefined> {
  const item = await db.get('files', blockKey(name, number));
  return item && toBlock(item);
}

/** The blocks that somebody has touched, from this number on, in their order. */
export function eachBlock(
  db: Pick<Db, 'query'>,
  name: FileName,
  from: number,
): AsyncGenerator<Block> {
  return eachWithin(db, name, { from: blockKey(name, from).sk, to: `${PREFIX}~` });
}

/** The blocks from `from` to below `to` that somebody has touched, by their numbers. */
export async function findBlocks(
  db: Pick<Db, 'query'>,
  name: FileName,
  { from, to }: { readonly from: number; readonly to: number },
): Promise<ReadonlyMap<number, Block>> {
  const found = new Map<number, Block>();
  if (from >= to) return found;
  const sk = { from: blockKey(name, from).sk, to: blockKey(name, to - 1).sk };
  for await (const block of eachWithin(db, name, sk)) found.set(block.number, block);
  return found;
}

async function* eachWithin(
  db: Pick<Db, 'query'>,
  name: FileName,
  sk: { readonly from: string; readonly to: string },
): AsyncGenerator<Block> {
  const query = { table: 'files', pk: filePartition(name), sk } as const;
  for await (const items of pagesOf(db, query)) yield* items.map(toBlock);
}
