import { Problem } from '../shared/problem.ts';
import { toInstant } from '../shared/wire.ts';
import type { World } from '../shared/world.ts';
import type { RecordedAttempt } from '../webhooks/delivery.ts';
import { hasBit } from './bitmap.ts';
import { type Block, newBlock, type Outcome, outcomeAt, unknownPlaces } from './block.ts';
import type { AlertFile } from './file.ts';
import { areResultsKept } from './file-looks.ts';
import { findAlertDeliveries } from './find-alert-deliveries.ts';
import { type BlockUser, readBlockUsers } from './read-block-users.ts';

type Needs = Pick<World, 'bucket' | 'db'>;

export type ResultStatus = Outcome | 'pending';

/** What is known of one user. */
export interface Result {
  readonly userId: string;
  readonly row: number;
  readonly status: ResultStatus;
  readonly code?: string | undefined;
  readonly at?: string | undefined;
}

/** Which users of a block are wanted: from this place on, at most so many, with this outcome. */
export interface Wanted {
  readonly from: number;
  readonly max: number;
  readonly status?: ResultStatus | undefined;
}

/** Quota of BatchGetItem. */
const RECORDS_AT_ONCE = 100;

/** Refuses with `not_found` when how each user fared is told no more. */
export function assertResultsKept(file: AlertFile, nowMs: number): void {
  if (areResultsKept(file, nowMs)) return;
  throw new Problem('not_found', { detail: 'The results of a file are kept for 30 days.' });
}

/** Whether a block that nobody has touched can have users with this outcome. */
export function isUntouched(file: AlertFile, status: ResultStatus | undefined): boolean {
  return status === undefined || status === (file.closed ? 'cancelled' : 'pending');
}

/** The results of a block as they are now, and the place after the last one that was looked at. */
export async function readResults(
  file: AlertFile,
  at: { readonly number: number; readonly block: Block | undefined; readonly wanted: Wanted },
  world: Needs,
): Promise<{ readonly results: readonly Result[]; readonly next?: number }> {
  const { block: found, number, wanted } = at;
  if (found && placesOf(file, found, wanted).length === 0) return { results: [] };
  const users = await readBlockUsers(world.bucket, file, number);
  const block = found ?? newBlock(number, users.length);
  const places = placesOf(file, block, wanted);
  const shown = places.slice(0, wanted.max);
  const results: Result[] = [];
  for (let i = 0; i < shown.length; i += RECORDS_AT_ONCE) {
    const some = shown.slice(i, i + RECORDS_AT_ONCE);
    results.push(...(await toResults({ file, block, users, places: some }, world)));
  }
  const [next] = places.slice(shown.length);
  return next === undefined ? { results } : { results, next };
}

function placesOf(file: AlertFile, block: Block, { from, status }: Wanted): number[] {
  const all = Array.from({ length: block.users }, (_, place) => place).slice(from);
  return status === undefined ? all : all.filter((it) => statusAt(file, block, it) === status);
}

/** Nobody will send what a closed file has left. */
function statusAt(file: AlertFile, block: Block, place: number): ResultStatus {
  const outcome = outcomeAt(block, place);
  return outcome === 'pending' && file.closed && !block.finished ? 'cancelled' : outcome;
}

interface Shown {
  readonly file: AlertFile;
  readonly block: Block;
  readonly users: readonly BlockUser[];
  readonly places: readonly number[];
}

async function toResults(shown: Shown, { db }: Needs): Promise<Result[]> {
  const { file, block, users, places } = shown;
  const asked = recordedPlaces(block, places);
  const found = await findAlertDeliveries(db, file, { users, places: asked });
  const deliveries = new Map(asked.map((place, i) => [place, found[i]]));
  return places.flatMap((place) => {
    const user = users[place];
    const status = statusAt(file, block, place);
    const last = deliveries.get(place)?.attempts.at(-1);
    const facts = { ...codeOf(last, status), ...timeOf(last, block, place) };
    return user ? [{ userId: user.userId, row: user.row, status, ...facts }] : [];
  });
}

/**
 * Those who may have a delivery of their own: whom the first attempt did not reach, and whom a
 * worker that died may have left one of which the block has not heard.
 */
function recordedPlaces(block: Block, places: readonly number[]): number[] {
  const unknown = new Set(unknownPlaces(block));
  return places.filter((place) => hasBit(block.retried, place) || unknown.has(place));
}

/** Nothing for a success that somebody had sent once more in vain. */
function codeOf(last: RecordedAttempt | undefined, status: ResultStatus): Pick<Result, 'code'> {
  if (!last || last.outcome === 'delivered' || status === 'delivered') return {};
  const code = last.error ?? (last.status === undefined ? undefined : `http_${last.status}`);
  return code === undefined ? {} : { code };
}

/** Of whom there is no record, the block knows whether there was an attempt, and no time of it. */
function timeOf(
  last: RecordedAttempt | undefined,
  { attempted, atMs }: Block,
  place: number,
): Pick<Result, 'at'> {
  const at = last?.atMs ?? (hasBit(attempted, place) ? atMs : undefined);
  return at === undefined ? {} : { at: toInstant(at) };
}
