import { setTimeout as wait } from 'node:timers/promises';
import { type Look, lookAtAll, lookAtWaiting, type Stored } from './webhook-look.ts';
import type { SoakTenant } from './webhook-tenants.ts';

/** What has to come to its end, and for how long it may make no progress. */
export interface Settling {
  readonly db: Stored['db'];
  readonly tenants: readonly SoakTenant[];
  /** How many deliveries there must be. */
  readonly wanted: number;
  readonly settleMs: number;
  readonly tell: (line: string) => void;
}

/** A release looks twice at what it has to send, half a minute apart. */
const REOPEN_MS = 30_000;

/** How much is left. All is looked at only when nothing waits. */
interface Left extends Look {
  readonly count: number;
  readonly isAll: boolean;
}

/** Waits until nothing moves any more; endpoints behind an open breaker are opened by hand. */
export async function settle(settling: Settling): Promise<void> {
  let reopenMs = 0;
  let stillMs = 0;
  const fewest = { all: Infinity, waiting: Infinity };
  for (;;) {
    const lookedMs = Date.now();
    const { count, isAll, held } = await look(settling);
    const kind = isAll ? 'all' : 'waiting';
    if (count < fewest[kind]) {
      fewest[kind] = count;
      stillMs = 0;
    }
    if ((isAll && count === 0) || stillMs > settling.settleMs) return;
    if (lookedMs > reopenMs + REOPEN_MS) {
      reopenMs = lookedMs;
      await reopen(settling, held);
    }
    // Looking takes long where there is much to see: most of the time is left to the healing, and
    // only that counts as time without progress.
    const pauseMs = Math.max(2_000, Math.min(20_000, 3 * (Date.now() - lookedMs)));
    await wait(pauseMs);
    stillMs += pauseMs;
  }
}

async function look({ db, tenants, wanted, tell }: Settling): Promise<Left> {
  const stored = tenants.map(({ tenantId, endpoints }) => {
    return { db, tenantId, endpointIds: [...endpoints.values()] };
  });
  const waiting = together(await Promise.all(stored.map(lookAtWaiting)));
  if (waiting.open > 0) {
    tell(`${waiting.open} deliveries wait`);
    return { ...waiting, count: waiting.open, isAll: false };
  }
  const looks = await Promise.all(stored.map(lookAtAll));
  const rows = looks.reduce((sum, it) => sum + it.rows, 0);
  const all = together(looks);
  tell(`${rows} deliveries of ${wanted}, ${all.open} of them open`);
  // More than are wanted do not make up for one that is open.
  return { ...all, count: all.open + Math.max(0, wanted - rows), isAll: true };
}

function together(looks: readonly Look[]): Look {
  const open = looks.reduce((sum, it) => sum + it.open, 0);
  return { open, held: new Set(looks.flatMap((it) => [...it.held])) };
}

async function reopen({ tenants }: Settling, held: ReadonlySet<string>): Promise<void> {
  for (const { api, endpoints } of tenants) {
    for (const id of [...endpoints.values()].filter((it) => held.has(it))) {
      const { status } = await api.send(`/v1/endpoints/${id}`, {
        method: 'PATCH',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ status: 'active' }),
      });
      if (status !== 200) throw new Error(`the endpoint ${id} was not opened: ${status}`);
    }
  }
}
