import { Buffer } from 'node:buffer';
import { atRest, type KeyRing, readKeyRing, withCurrent, withNewKey } from '../shared/key-ring.ts';
import { Problem } from '../shared/problem.ts';
import { readMasterKey } from '../shared/sealed.ts';
import type { World } from '../shared/world.ts';
import { changeEndpoint } from './change-endpoint.ts';
import { listEndpoints, saveEndpoint } from './endpoint.store.ts';
import { isSealedAnew, resealEndpoint, type Sealer } from './endpoint-sealing.ts';

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
  | { readonly kind: 'done'; readonly version: number; readonly count: Count };

/** Endpoints that were looked at, and those whose secrets or headers had an older key. */
export interface Count {
  readonly endpoints: number;
  readonly older: number;
}

const KEY_BYTES = 32;

/**
 * Gives the master key a new version and seals everything with it. Each step is written down in
 * the secret itself, and the next one goes by what is there: so a rotation that was interrupted
 * goes on where it was, and of two at the same moment comes one. The new key is added first, and
 * becomes the current one when nobody can be without it any more; what is sealed with an older one
 * is sealed anew when nobody can seal with that any more. Webhooks go out all the time.
 */
export async function rotateMasterKey(world: Needs, plan: RotationPlan): Promise<Count> {
  await begin(world, plan);
  for (;;) {
    const ring = readKeyRing(await world.secret.read());
    const { rotation } = ring;
    // Another one has brought it to its end.
    if (!rotation) return countOlder(world);

    const waitMs = rotation.atMs + plan.patienceMs - world.clock.nowMs();
    if (waitMs > 0) {
      const ms = Math.min(waitMs, plan.patienceMs);
      plan.tell({ kind: 'waiting', ms });
      await world.clock.sleep(ms);
    } else if (rotation.phase === 'added') {
      await save(withCurrent(ring, rotation.to, world.clock.nowMs()), world);
      plan.tell({ kind: 'current', version: rotation.to });
    } else {
      const count = await resealAll(ring, world);
      await save(atRest(ring), world);
      plan.tell({ kind: 'done', version: rotation.to, count });
      return count;
    }
  }
}

/** How much a rotation would find; writes nothing. */
export async function countOlder(world: Needs): Promise<Count> {
  const masterKey = readMasterKey(await world.secret.read());
  let [endpoints, older] = [0, 0];
  for await (const tenantId of world.tenantIds()) {
    for (const endpoint of await listEndpoints(world.db, tenantId)) {
      endpoints += 1;
      if (!isSealedAnew(endpoint, masterKey)) older += 1;
    }
  }
  return { endpoints, older };
}

async function begin({ clock, ids, secret }: Needs, { tell }: RotationPlan): Promise<void> {
  const ring = readKeyRing(await secret.read());
  if (ring.rotation) return;
  const key = Buffer.from(ids.secretBytes(KEY_BYTES)).toString('base64');
  const next = withNewKey(ring, key, clock.nowMs());
  await save(next, { secret });
  if (next.rotation) tell({ kind: 'added', version: next.rotation.to });
}

async function save(ring: KeyRing, { secret }: Pick<Needs, 'secret'>): Promise<void> {
  const text = JSON.stringify(ring);
  // Who cannot read it must not have to.
  readMasterKey(text);
  await secret.write(text);
}

async function resealAll(ring: KeyRing, world: Needs): Promise<Count> {
  const sealer = { masterKey: readMasterKey(JSON.stringify(ring)), ids: world.ids };
  let [endpoints, older] = [0, 0];
  for await (const tenantId of world.tenantIds()) {
    for (const { id } of await listEndpoints(world.db, tenantId)) {
      endpoints += 1;
      if (await reseal({ tenantId, id }, sealer, world)) older += 1;
    }
  }
  return { endpoints, older };
}

/** Whether there was anything to do. One that was deleted meanwhile has nothing left. */
async function reseal(
  name: { readonly tenantId: string; readonly id: string },
  sealer: Sealer,
  world: Needs,
): Promise<boolean> {
  const change = changeEndpoint(name, world, (before) => {
    if (isSealedAnew(before, sealer.masterKey)) return { result: false, writes: [] };
    return { result: true, writes: saveEndpoint(before, resealEndpoint(before, sealer)) };
  });
  return change.catch((error: unknown) => {
    if (error instanceof Problem && error.code === 'not_found') return false;
    throw error;
  });
}
