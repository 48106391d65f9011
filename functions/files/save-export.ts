import type { Downloads } from '../shared/bucket.ts';
import { route } from '../shared/http/route.ts';
import { Problem } from '../shared/problem.ts';
import { HOUR_MS, SECOND_MS } from '../shared/units.ts';
import { toInstant } from '../shared/wire.ts';
import type { World } from '../shared/world.ts';
import { eachBlock } from './block.store.ts';
import type { Block } from './block.ts';
import { findFile } from './file.store.ts';
import { type AlertFile, exportKey, faultsKey } from './file.ts';
import { isUntouched, type ResultStatus, readResults } from './read-results.ts';
import { exportFileRoute } from './result.contract.ts';

type Needs = Pick<World, 'bucket' | 'clock' | 'db'> & { readonly downloads: Downloads };

/** A link that is good for this long. */
const LINK_MS = HOUR_MS;
/** What one request can collect; of more, one status at a time can be had. */
const USERS_MAX = 1_000_000;
/** Blocks that are read side by side. */
const AT_ONCE = 8;

/**
 * POST /v1/files/{id}/export: the results as they are now, or the malformed rows that are listed.
 * Refuses with `not_found` where there are none, and with `not_available` what is too much.
 */
export const exportFile = route(exportFileRoute, async (call, world: Needs) => {
  const { tenantId, params, body } = call;
  const file = await findFile(world.db, { tenantId, fileId: params.id });
  if (!file) throw new Problem('not_found');

  const key = body.what === 'errors' ? faultsKey(file) : exportKey(file, body.status);
  if (body.what === 'results') await store(file, { key, status: body.status }, world);
  else if (!(await world.bucket.stat(key))) {
    throw new Problem('not_found', { detail: 'The file has no list of malformed rows.' });
  }
  const url = await world.downloads.presignGet(key, LINK_MS / SECOND_MS);
  return { body: { url, expiresAt: toInstant(world.clock.nowMs() + LINK_MS) } };
});

interface Order {
  readonly key: string;
  readonly status: ResultStatus | undefined;
}

async function store(file: AlertFile, { key, status }: Order, world: Needs): Promise<void> {
  if (countOf(file, status) > USERS_MAX) {
    const detail = `More than ${USERS_MAX} users at a time cannot be exported. Name a status.`;
    throw new Problem('not_available', { detail });
  }
  const touched = new Map<number, Block>();
  const name = { tenantId: file.tenantId, fileId: file.id };
  for await (const block of eachBlock(world.db, name, 0)) touched.set(block.number, block);
  const parts: Buffer[] = [];
  const wanted = { from: 0, max: Infinity, status };
  for (let first = 0; first < file.blocks; first += AT_ONCE) {
    const numbers = Array.from({ length: Math.min(AT_ONCE, file.blocks - first) }, (_, i) => i);
    const lines = await Promise.all(
      numbers.map(async (i) => {
        const number = first + i;
        const block = touched.get(number);
        if (!block && !isUntouched(file, status)) return '';
        const { results } = await readResults(file, { number, block, wanted }, world);
        return results.map((it) => `${JSON.stringify(it)}\n`).join('');
      }),
    );
    parts.push(Buffer.from(lines.join('')));
  }
  await world.bucket.put(key, Buffer.concat(parts), 'application/x-ndjson');
}

/** Those who are pending are in none of the counts while their block is under way. */
function countOf(file: AlertFile, status: ResultStatus | undefined): number {
  return status === undefined ? file.alerts : file[status];
}
