import type { TickTime } from '../../functions/shared/aws/schedule.ts';
import { minutePartition, sortableMs } from '../../functions/shared/sortable.ts';
import { MINUTE_MS } from '../../functions/shared/units.ts';
import { RestMessage } from '../../functions/timers/rest-message.ts';
import { sweepRest } from '../../functions/timers/sweep-rest.ts';
import { sweepTable } from '../../functions/timers/sweep-tables.ts';
import type { TestWorld } from '../support/world.ts';

export const minuteNow = ({ clock }: TestWorld) => Math.floor(clock.nowMs() / MINUTE_MS);

export interface Rows {
  readonly count: number;
  readonly minute: number;
  readonly shard?: number;
  readonly name: string;
}

/** Rows of the deliveries that are due one after the other in a minute, a millisecond apart. */
export async function putDue(
  world: TestWorld,
  { count, minute, shard = 3, name }: Rows,
): Promise<void> {
  const rows = Array.from({ length: count }, (_, n) => {
    const sk = `${name}${String(n).padStart(6, '0')}`;
    const dueSk = `${sortableMs(minute * MINUTE_MS + n)}#${name}#${sk}`;
    return { pk: name, sk, duePk: minutePartition(minute, shard), dueSk };
  });
  for (let start = 0; start < count; start += 100) {
    const writes = rows
      .slice(start, start + 100)
      .map((item) => ({ kind: 'put' as const, table: 'deliveries' as const, item }));
    await world.db.commit(writes);
  }
}

/** What one tick sends: the rows of the deliveries, and the rests that it hands over. */
export async function tickOnce(
  world: TestWorld,
  time?: TickTime,
): Promise<{ readonly rows: string[]; readonly rests: RestMessage[] }> {
  world.sent.splice(0);
  await sweepTable('deliveries', world, time);
  return taken(world);
}

/** What the worker of rests sends, when it has so long for each. */
export async function sweepRests(
  world: TestWorld,
  rests: readonly RestMessage[],
  forMs: number = MINUTE_MS,
): Promise<{ readonly rows: string[]; readonly rests: RestMessage[] }> {
  world.sent.splice(0);
  for (const rest of rests) {
    await sweepRest(rest, world, { deadlineMs: world.clock.nowMs() + forMs });
  }
  return taken(world);
}

function taken({ sent }: TestWorld) {
  const all = sent.splice(0);
  const rests = all.filter((it) => it.queue === 'sweeps').map((it) => RestMessage.parse(it.body));
  const rows = all.filter((it) => it.queue !== 'sweeps').map((it) => String(it.body.sk));
  return { rows, rests };
}
