import { readable } from '../shared/form.ts';
import { Problem } from '../shared/problem.ts';
import type { MasterKey } from '../shared/sealed.ts';
import type { World } from '../shared/world.ts';
import { changeEndpoint } from './change-endpoint.ts';
import { saveEndpoint } from './endpoint.store.ts';
import { findReadableEndpoints } from './endpoint-list.store.ts';
import { isSealedAnew, resealEndpoint, type Sealer } from './endpoint-sealing.ts';

/** A tenant's endpoints, and how many had anything sealed by an older master key. */
export interface SealedEndpoints {
  readonly endpoints: number;
  readonly older: number;
  /** The ids of those that cannot be read or opened, which are not counted. */
  readonly left: readonly string[];
}

/** Writes nothing, and opens nothing. */
export async function countEndpoints(
  tenantId: string,
  masterKey: MasterKey,
  { db }: Pick<World, 'db'>,
): Promise<SealedEndpoints> {
  const { endpoints: all, damaged } = await findReadableEndpoints(db, tenantId);
  const older = all.filter((it) => !isSealedAnew(it, masterKey)).length;
  return { endpoints: all.length, older, left: damaged };
}

/**
 * Seals the secrets and headers of all endpoints of a tenant with the current version. One that is
 * damaged must not keep the others from it. Throws where the database does not answer.
 */
export async function resealEndpoints(
  tenantId: string,
  sealer: Sealer,
  world: Pick<World, 'clock' | 'db' | 'ids'>,
): Promise<SealedEndpoints> {
  const { endpoints: all, damaged } = await findReadableEndpoints(world.db, tenantId);
  const left = [...damaged];
  let [endpoints, older] = [0, 0];
  for (const { id } of all) {
    const outcome = await reseal({ tenantId, id }, sealer, world);
    if (outcome === 'left') left.push(id);
    else endpoints += 1;
    if (outcome === 'sealed') older += 1;
  }
  return { endpoints, older, left };
}

type Outcome = 'sealed' | 'well' | 'left';

/** One that was deleted meanwhile has nothing left to seal. */
async function reseal(
  name: { readonly tenantId: string; readonly id: string },
  sealer: Sealer,
  world: Pick<World, 'clock' | 'db' | 'ids'>,
): Promise<Outcome> {
  const change = changeEndpoint<Outcome>(name, world, (before) => {
    if (isSealedAnew(before, sealer.masterKey)) return { result: 'well', writes: [] };
    const after = readable(() => resealEndpoint(before, sealer));
    if (!after) return { result: 'left', writes: [] };
    return { result: 'sealed', writes: saveEndpoint(before, after) };
  });
  return change.catch((error: unknown) => {
    if (error instanceof Problem && error.code === 'not_found') return 'well';
    throw error;
  });
}
