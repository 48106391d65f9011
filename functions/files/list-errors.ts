import { text } from 'node:stream/consumers';
import * as z from 'zod';
import { route } from '../shared/http/route.ts';
import { makeCursor, openCursor } from '../shared/page.ts';
import { Problem } from '../shared/problem.ts';
import type { World } from '../shared/world.ts';
import { listErrorsRoute } from './errors.contract.ts';
import { FAULT_ENTRY_BYTES } from './fault-list.ts';
import { findFile } from './file.store.ts';
import type { AlertFile } from './file.ts';
import { FAULTS_LISTED_MAX, ROW_FAULT_CODES } from './file-fault.ts';
import { faultsKey } from './file-keys.ts';

type Needs = Pick<World, 'bucket' | 'db' | 'secrets'>;

const Entry = z.object({ row: z.int(), byte: z.int(), code: z.enum(ROW_FAULT_CODES) });
const Position = z.object({ from: z.int() });

/**
 * GET /v1/files/{id}/errors. Refuses with `not_found` when the tenant has no such file. A file
 * that was not read to its end has no list: what stopped it is in its `error`.
 */
export const listErrors = route(listErrorsRoute, async (call, world: Needs) => {
  const { tenantId, params, query } = call;
  const file = await findFile(world.db, { tenantId, fileId: params.id });
  if (!file) throw new Problem('not_found');

  const boundTo = [tenantId, 'errors', file.id, String(file.readings)];
  const key = await world.secrets.read('cursor-key');
  const { cursor, limit } = query;
  const { from } =
    cursor === undefined ? { from: 0 } : Position.parse(openCursor(cursor, boundTo, key));
  const listed = Math.min(file.malformed, FAULTS_LISTED_MAX);
  const to = Math.min(listed, from + limit);
  const data = from < to ? await readEntries(world, file, { from, to }) : [];
  const more = to < listed ? { nextCursor: makeCursor({ from: to }, boundTo, key) } : {};
  return { body: { data, hasMore: to < listed, ...more, totals: file.malformedBy ?? {} } };
});

async function readEntries(
  { bucket }: Needs,
  file: AlertFile,
  { from, to }: { readonly from: number; readonly to: number },
): Promise<z.output<typeof Entry>[]> {
  const range = { start: from * FAULT_ENTRY_BYTES, end: to * FAULT_ENTRY_BYTES };
  const chunks = await bucket.read(faultsKey(file), range);
  // The list is kept as long as the results are.
  if (!chunks)
    throw new Problem('not_found', { detail: 'The list of errors is not kept so long.' });
  const lines = (await text(chunks)).trimEnd().split('\n');
  return lines.map((line) => Entry.parse(JSON.parse(line)));
}
