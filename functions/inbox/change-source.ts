import { fullJitterMs } from '../shared/backoff.ts';
import { type Call, route } from '../shared/http/route.ts';
import { Problem } from '../shared/problem.ts';
import { readMasterKey } from '../shared/sealed.ts';
import { SECOND_MS } from '../shared/units.ts';
import type { World, Write } from '../shared/world.ts';
import {
  deleteSourceRoute,
  rotateSourceSecretRoute,
  secretFault,
  updateSourceRoute,
} from './source.contract.ts';
import { deleteSource, findSource, saveSource } from './source.store.ts';
import { type Source, sharesSoFar } from './source.ts';
import { rotateSecrets } from './source-sealing.ts';
import { sourceView } from './source-view.ts';

type Needs = Pick<World, 'clock' | 'db' | 'ids'>;

const ROUNDS = 6;
const PAUSE = { baseMs: 25, capMs: SECOND_MS };

/**
 * Reads the source, decides and commits, unless there is nothing to write, and decides anew when
 * somebody was quicker. Refuses with `not_found` what is not there or was deleted, and with `busy`
 * when others are always quicker.
 */
export async function changeSource(
  { tenantId, id }: { readonly tenantId: string; readonly id: string },
  world: Needs,
  decide: (before: Source) => { readonly after: Source; readonly write?: Write },
): Promise<Source> {
  for (let round = 0; round < ROUNDS; round += 1) {
    const before = await findSource(world.db, tenantId, id);
    if (!before) throw new Problem('not_found');
    const { after, write } = decide(before);
    if (!write) return after;
    const commit = await world.db.commit([write]);
    if (commit.ok) return after;
    await world.clock.sleep(fullJitterMs(round, PAUSE, world.ids.random()));
  }
  throw new Problem('busy', { detail: 'Others are changing this source.', retryAfterSeconds: 1 });
}

/** What is saved of a source that was changed. */
function saved(before: Source, changes: Partial<Source>, { clock }: Pick<World, 'clock'>) {
  const revision = before.revision + 1;
  const wanted = { ...before, ...changes, revision, updatedAtMs: clock.nowMs() };
  const after = { ...wanted, shares: Math.max(sharesSoFar(before), sharesSoFar(wanted)) };
  return { after, write: saveSource(before, after) };
}

/** PATCH /v1/sources/{id}. */
export const updateSource = route(updateSourceRoute, async (call, world: Needs) => {
  const { tenantId, params } = call;
  const changes = changesOf(call.body);
  const after = await changeSource({ tenantId, id: params.id }, world, (it) =>
    saved(it, changes, world),
  );
  return { body: sourceView(after, call) };
});

/** null takes away, and what is absent stays. */
function changesOf(body: Call<typeof updateSourceRoute>['body']): Partial<Source> {
  const { dedupe, maxBacklog, ratePerSecond, ...plain } = body;
  const set = Object.entries(plain).filter(([, it]) => it !== undefined);
  return {
    ...Object.fromEntries(set),
    ...(maxBacklog !== undefined && { maxBacklog: maxBacklog ?? undefined }),
    ...(ratePerSecond !== undefined && { ratePerSecond: ratePerSecond ?? undefined }),
    ...(dedupe !== undefined && { dedupeSeconds: dedupe?.windowSeconds }),
  };
}

/** DELETE /v1/sources/{id}: what was taken in is still processed. */
export const deleteSourceById = route(deleteSourceRoute, async (call, world: Needs) => {
  const { tenantId, params } = call;
  const nowMs = world.clock.nowMs();
  let wasThere = false;
  try {
    await changeSource({ tenantId, id: params.id }, world, (before) => {
      wasThere = true;
      return { after: before, write: deleteSource(before, nowMs) };
    });
  } catch (error) {
    // Gone since it was read: by the first try, whose answer got lost, or by somebody else.
    const isGone = wasThere && error instanceof Problem && error.code === 'not_found';
    if (!isGone) throw error;
  }
  return { body: { id: params.id, object: 'source' as const, deleted: true as const } };
});

/** POST /v1/sources/{id}/secret/rotate: effective within a second, on every instance. */
export const rotateSourceSecret = route(
  rotateSourceSecretRoute,
  async (call, world: Needs & Pick<World, 'secrets'>) => {
    const { tenantId, params, body } = call;
    const masterKey = readMasterKey(await world.secrets.read('master-key'));
    const sealer = { masterKey, ids: world.ids };
    const after = await changeSource({ tenantId, id: params.id }, world, (before) => {
      assertUsable(before, body.secret);
      const rotation = { ...body, nowMs: world.clock.nowMs() };
      return saved(before, { secrets: rotateSecrets(before, rotation, sealer) }, world);
    });
    return { body: sourceView(after, call) };
  },
);

function assertUsable({ scheme }: Source, secret: string): void {
  const detail = secretFault(scheme, secret);
  if (detail === undefined) return;
  if (scheme === 'none') throw new Problem('not_available', { detail: `The secret ${detail}.` });
  const errors = [{ pointer: '/secret', code: 'invalid', detail }];
  throw new Problem('validation_failed', { detail: `/secret: ${detail}`, errors });
}
