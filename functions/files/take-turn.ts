import type { World } from '../shared/world.ts';
import type { Endpoint } from '../webhooks/endpoint.ts';
import { findPace } from '../webhooks/pace.store.ts';
import { isOverrun, lastUseMs, limitOf, rateAt } from '../webhooks/pace.ts';
import { takeKnownSlots } from '../webhooks/take-slots.ts';
import { type OwnSlots, takeOwnSlots } from './take-own-slots.ts';
import { areKept, batchSize, type Turn, type TurnOrder, WAIT_MS_MAX, withNext } from './turn.ts';

/**
 * Takes up to `count` slots of the endpoint's pace, fewer while its receiver bears less than its
 * limit; or uses those that were kept, if they are still in time and no block is in their way.
 * Where the file's own limit is the lower one its slots decide.
 */
export async function takeTurn(
  world: Pick<World, 'clock' | 'db' | 'ids'>,
  endpoint: Endpoint,
  { count, kept, own }: TurnOrder,
): Promise<Turn> {
  const pace = await findPace(world.db, endpoint);
  const nowMs = world.clock.nowMs();
  const perSecond = rateAt(limitOf(endpoint, pace), pace, nowMs);
  const { blockedUntilMs = 0 } = pace;
  // Without a limit no slot is reserved, so there is none to keep.
  if (perSecond === undefined && blockedUntilMs > nowMs) {
    return { kind: 'later', atMs: blockedUntilMs };
  }
  const isOwn = own !== undefined && own.perSecond < (perSecond ?? Infinity);
  const most = Math.min(count, batchSize({ perSecond }));
  const rate = perSecond ?? own?.perSecond;
  const taken = await take();
  if ('freeMs' in taken) return { kind: 'later', atMs: taken.freeMs, kept: taken.kept };
  const { version } = taken;
  // In the others something goes that waits for no backlog.
  const slotsMs = taken.slotsMs.filter((it) => !isOverrun(it, pace));
  const [firstMs] = slotsMs;
  if (firstMs === undefined) return { kind: 'later', atMs: taken.slotsMs.at(-1) ?? nowMs };
  if (firstMs - world.clock.nowMs() > WAIT_MS_MAX) {
    return { kind: 'later', atMs: firstMs, kept: { slotsMs, version } };
  }
  const rates = [perSecond, isOwn ? own.perSecond : undefined].filter((it) => it !== undefined);
  const ends = [...rates.map((it) => lastUseMs(firstMs, it)), taken.lastMs];
  const lastMs =
    rates.length === 0 ? undefined : Math.min(...ends.filter((it) => it !== undefined));
  const rest = { slotsMs: slotsMs.slice(most), version };
  return { kind: 'now', slotsMs: slotsMs.slice(0, most), lastMs, kept: rest };

  async function take(): Promise<OwnSlots> {
    const left = areKept(kept, pace, { perSecond: rate, nowMs }) ? kept : undefined;
    if (isOwn) {
      const wanted = perSecond === undefined ? count : most;
      const faster = { endpoint, pace, perSecond };
      return takeOwnSlots(world, faster, { count: wanted, own, kept: left });
    }
    if (left) return left;
    const size = withNext(most, { pace, perSecond, nowMs, wanted: count });
    return takeKnownSlots(world, { endpoint, pace }, size);
  }
}
