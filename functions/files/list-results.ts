import * as z from 'zod';
import { route } from '../shared/http/route.ts';
import { makeCursor, openCursor } from '../shared/page.ts';
import { Problem } from '../shared/problem.ts';
import type { World } from '../shared/world.ts';
import { findBlocks } from './block.store.ts';
import { findFile } from './file.store.ts';
import type { AlertFile } from './file.ts';
import {
  assertResultsKept,
  isUntouched,
  type Result,
  type ResultStatus,
  readResults,
} from './read-results.ts';
import { listResultsRoute } from './result.contract.ts';

type Needs = Pick<World, 'bucket' | 'clock' | 'db' | 'secrets'>;

const Position = z.object({ block: z.int(), place: z.int() });
type Position = z.output<typeof Position>;

/** A page that looks for a rare outcome ends after so many blocks, also when it is empty. */
const BLOCKS_MAX = 1_000;

/** GET /v1/files/{id}/results. Refuses with `not_found` when the tenant has no such file. */
export const listResults = route(listResultsRoute, async (call, world: Needs) => {
  const { tenantId, params, query } = call;
  const file = await findFile(world.db, { tenantId, fileId: params.id });
  if (!file) throw new Problem('not_found');
  assertResultsKept(file, world.clock.nowMs());

  const { cursor, limit, status } = query;
  const boundTo = [tenantId, 'results', file.id, String(file.readings), status ?? ''];
  const key = await world.secrets.read('cursor-key');
  const start =
    cursor === undefined
      ? { block: 0, place: 0 }
      : Position.parse(openCursor(cursor, boundTo, key));
  const { data, next } = await readPageFrom(file, { start, limit, status }, world);
  const more = next ? { nextCursor: makeCursor({ ...next }, boundTo, key) } : {};
  return { body: { data, hasMore: next !== undefined, ...more } };
});

interface Asked {
  readonly start: Position;
  readonly limit: number;
  readonly status: ResultStatus | undefined;
}

async function readPageFrom(
  file: AlertFile,
  { start, limit, status }: Asked,
  world: Needs,
): Promise<{ data: Result[]; next?: Position }> {
  const data: Result[] = [];
  const end = Math.min(file.blocks, start.block + BLOCKS_MAX);
  const name = { tenantId: file.tenantId, fileId: file.id };
  const touched = await findBlocks(world.db, name, { from: start.block, to: end });
  for (let number = start.block; number < end; number += 1) {
    const block = touched.get(number);
    if (!block && !isUntouched(file, status)) continue;
    const from = number === start.block ? start.place : 0;
    // Full, and somebody may still come.
    if (data.length === limit) return { data, next: { block: number, place: from } };
    const wanted = { from, max: limit - data.length, status };
    const { results, next } = await readResults(file, { number, block, wanted }, world);
    data.push(...results);
    if (next !== undefined) return { data, next: { block: number, place: next } };
  }
  return end < file.blocks ? { data, next: { block: end, place: 0 } } : { data };
}
