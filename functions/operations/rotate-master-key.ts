import { Buffer } from 'node:buffer';
import { isDeepStrictEqual } from 'node:util';
import { countSources, resealSources } from '../inbox/reseal-sources.ts';
import {
  atRest,
  type KeyRing,
  type RingRotation,
  readKeyRing,
  withCurrent,
  withNewKey,
} from '../shared/key-ring.ts';
import { readMasterKey } from '../shared/sealed.ts';
import type { World } from '../shared/world.ts';
import { countEndpoints, resealEndpoints } from '../webhooks/reseal-endpoints.ts';

type Needs = Pick<World, 'clock' | 'db' | 'ids'> & {
  /** The secret of the master key, as it is now: nothing of it may be remembered. */
  readonly secret: { read(): Promise<string>; write(text: string): Promise<void> };
  tenantIds(): AsyncIterable<string>;
};

/** How a rotation is done, and who hears of it. */
export interface RotationPlan {
  /** So long functions may work with a ring that they have read. */
  readonly patienceMs: number;
  tell(step: RotationStep): void;
}

/** What is being done. Nothing secret is in it. */
export type RotationStep =
  | { readonly kind: 'added' | 'current'; readonly version: number }
  | { readonly kind: 'waiting'; readonly ms: number }
  | { readonly kind: 'done' | 'left'; readonly version: number; readonly count: Count };

/** What was looked at, and how much of it had secrets or headers with an older key. */
export interface Count {
  readonly endpoints: number;
  readonly sources: number;
  readonly older: number;
  /** `<tenant>/<id>` of what cannot be read or opened, which is not counted. */
  readonly left: readonly string[];
}

const KEY_BYTES = 32;

/**
 * Gives the master key a new version and seals everything with it. Each step is written down in
 * the secret itself, and the next one goes by what is there: so a rotation that was interrupted
 * goes on where it was, and of two at the same moment comes one. The new key is added first, and
 * becomes the current one when nobody can be without it any more; what is sealed with an older one
 * is sealed anew when nobody can seal with that any more. Webhooks go out all the time. What cannot
 * be read or opened is left and named, and the rotation then waits for its next call.
 */
export async function rotateMasterKey(world: Needs, plan: RotationPlan): Promise<Count> {
  await begin(world, plan);
  // Since when this machine knows of the phase: another one's clock may be fast or slow.
  let seen: { readonly rotation: RingRotation; readonly atMs: number } | undefined;
  for (;;) {
    const ring = readKeyRing(await world.secret.read());
    const { rotation } = ring;
    // Another one has brought it to its end.
    if (!rotation) return countOlder(world);

    if (!isDeepStrictEqual(seen?.rotation, rotation)) {
      seen = { rotation, atMs: world.clock.nowMs() };
    }
    const ms = (seen?.atMs ?? 0) + plan.patienceMs - world.clock.nowMs();
    if (ms > 0) {
      plan.tell({ kind: 'waiting', ms });
      await world.clock.sleep(ms);
    } else if (rotation.phase === 'added') {
      await save(withCurrent(ring, rotation.to, world.clock.nowMs()), world);
      plan.tell({ kind: 'current', version: rotation.to });
    } else {
      const count = await resealAll(ring, world);
      const isDone = count.left.length === 0;
      if (isDone) await rest(rotation, world);
      plan.tell({ kind: isDone ? 'done' : 'left', version: rotation.to, count });
      return count;
    }
  }
}

/** How much a rotation would find; writes nothing. */
export async function countOlder(world: Needs): Promise<Count> {
  const masterKey = readMasterKey(await world.secret.read());
  return ofAllTenants(world, [
    (tenantId) => countEndpoints(tenantId, masterKey, world),
    (tenantId) => countSources(tenantId, masterKey, world),
  ]);
}

async function begin({ clock, ids, secret }: Needs, { tell }: RotationPlan): Promise<void> {
  const ring = readKeyRing(await secret.read());
  if (ring.rotation) return;
  const key = Buffer.from(ids.secretBytes(KEY_BYTES)).toString('base64');
  const next = withNewKey(ring, key, clock.nowMs());
  await save(next, { secret });
  if (next.rotation) tell({ kind: 'added', version: next.rotation.to });
}

/** Sealing takes hours, and others may have ended this rotation meanwhile, and begun another. */
async function rest(rotation: RingRotation, { secret }: Pick<Needs, 'secret'>): Promise<void> {
  const ring = readKeyRing(await secret.read());
  if (isDeepStrictEqual(ring.rotation, rotation)) await save(atRest(ring), { secret });
}

async function save(ring: KeyRing, { secret }: Pick<Needs, 'secret'>): Promise<void> {
  const text = JSON.stringify(ring);
  // Who cannot read it must not have to.
  readMasterKey(text);
  await secret.write(text);
}

/** Everything that the master key seals. What is added to the house is added here as well. */
function resealAll(ring: KeyRing, world: Needs): Promise<Count> {
  const sealer = { masterKey: readMasterKey(JSON.stringify(ring)), ids: world.ids };
  return ofAllTenants(world, [
    (tenantId) => resealEndpoints(tenantId, sealer, world),
    (tenantId) => resealSources(tenantId, sealer, world),
  ]);
}

async function ofAllTenants(
  { tenantIds }: Pick<Needs, 'tenantIds'>,
  rooms: readonly ((tenantId: string) => Promise<Partial<Count>>)[],
): Promise<Count> {
  const sum = { endpoints: 0, sources: 0, older: 0 };
  const allLeft: string[] = [];
  for await (const tenantId of tenantIds()) {
    for (const room of rooms) {
      const { endpoints = 0, sources = 0, older = 0, left = [] } = await room(tenantId);
      sum.endpoints += endpoints;
      sum.sources += sources;
      sum.older += older;
      allLeft.push(...left.map((id) => `${tenantId}/${id}`));
    }
  }
  return { ...sum, left: allLeft };
}
