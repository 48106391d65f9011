import { readable } from '../shared/form.ts';
import { Problem } from '../shared/problem.ts';
import type { MasterKey } from '../shared/sealed.ts';
import type { World } from '../shared/world.ts';
import { changeSource } from './change-source.ts';
import { findReadableSources, saveSource } from './source.store.ts';
import { isSealedAnew, resealSource, type Sealer } from './source-sealing.ts';

/** A tenant's sources, and how many had a secret sealed by an older master key. */
export interface SealedSources {
  readonly sources: number;
  readonly older: number;
  /** The ids of those that cannot be read or opened, which are not counted. */
  readonly left: readonly string[];
}

/** Writes nothing, and opens nothing. */
export async function countSources(
  tenantId: string,
  masterKey: MasterKey,
  { db }: Pick<World, 'db'>,
): Promise<SealedSources> {
  const { sources: all, damaged } = await findReadableSources(db, tenantId);
  const older = all.filter((it) => !isSealedAnew(it, masterKey)).length;
  return { sources: all.length, older, left: damaged };
}

/**
 * Seals the secrets of all sources of a tenant with the current version. The list is up to a second
 * old: what was made in that second has to be sealed with the current version already. One that is
 * damaged must not keep the others from it. Throws where the database does not answer.
 */
export async function resealSources(
  tenantId: string,
  sealer: Sealer,
  world: Pick<World, 'clock' | 'db' | 'ids'>,
): Promise<SealedSources> {
  const { sources: all, damaged } = await findReadableSources(world.db, tenantId);
  const left = [...damaged];
  let [sources, older] = [0, 0];
  for (const { id } of all) {
    const outcome = await reseal({ tenantId, id }, sealer, world);
    if (outcome === 'left') left.push(id);
    else sources += 1;
    if (outcome === 'sealed') older += 1;
  }
  return { sources, older, left };
}

/** One that was deleted meanwhile has nothing left to seal. */
async function reseal(
  name: { readonly tenantId: string; readonly id: string },
  sealer: Sealer,
  world: Pick<World, 'clock' | 'db' | 'ids'>,
): Promise<'sealed' | 'well' | 'left'> {
  let outcome: 'sealed' | 'well' | 'left' = 'well';
  try {
    await changeSource(name, world, (before) => {
      outcome = 'well';
      if (isSealedAnew(before, sealer.masterKey)) return { after: before };
      const sealed = readable(() => resealSource(before, sealer));
      outcome = sealed ? 'sealed' : 'left';
      if (!sealed) return { after: before };
      const after = { ...sealed, revision: before.revision + 1 };
      return { after, write: saveSource(before, after) };
    });
    return outcome;
  } catch (error) {
    if (error instanceof Problem && error.code === 'not_found') return 'well';
    throw error;
  }
}
