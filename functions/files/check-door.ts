import { SECOND_MS } from '../shared/units.ts';
import type { World } from '../shared/world.ts';
import { doorOf } from '../webhooks/door.ts';
import type { EndpointMemory, KnownEndpoint } from '../webhooks/remember-endpoints.ts';
import { careMessage } from './care-message.ts';
import { changeFile } from './change-file.ts';
import { type FileName, findFile } from './file.store.ts';
import type { AlertFile } from './file.ts';
import { cancelFile, type FileAction, pauseFile } from './file-action.ts';

type Needs = Pick<World, 'clock' | 'db' | 'ids' | 'log' | 'queues'> & {
  readonly endpoints: EndpointMemory;
};

/**
 * Whether the next batch of a file may go out: to this endpoint, not before `atMs`, or not at all
 * as long as nobody changes the file.
 */
export type Passage =
  | { readonly kind: 'open'; readonly known: KnownEndpoint }
  | { readonly kind: 'later'; readonly atMs: number; readonly known: KnownEndpoint }
  | { readonly kind: 'stopped' };

/** How long to wait for an endpoint that takes nothing now. */
const CLOSED_MS = 30 * SECOND_MS;
/** After a probe, its outcome is known within this time. */
const PROBED_MS = 5 * SECOND_MS;

/**
 * Looks at the file and its endpoint before a batch. A file whose endpoint is disabled is paused,
 * and one whose endpoint is deleted is cancelled, each with the reason.
 */
export async function checkDoor(file: AlertFile, world: Needs): Promise<Passage> {
  const name = { tenantId: file.tenantId, fileId: file.id };
  const [now, known] = await Promise.all([findFile(world.db, name), findFresh(file, world)]);
  if (now?.state !== 'delivering') return { kind: 'stopped' };
  if (!known) {
    await stop(name, (it, nowMs) => cancelFile(it, nowMs, 'endpoint_deleted'), world);
    return { kind: 'stopped' };
  }
  const nowMs = world.clock.nowMs();
  switch (doorOf(known)) {
    case 'open':
      return { kind: 'open', known };
    case 'endpoint_disabled':
      await stop(name, (it, atMs) => pauseFile(it, atMs, 'endpoint_disabled'), world);
      return { kind: 'stopped' };
    case 'endpoint_paused':
      return { kind: 'later', atMs: nowMs + CLOSED_MS, known };
    case 'breaker_open': {
      const { probeAtMs = 0 } = known.health;
      return { kind: 'later', atMs: Math.max(nowMs + CLOSED_MS, probeAtMs + PROBED_MS), known };
    }
  }
}

/** Read anew where it would end or stop the file: who has just opened it may have resumed it. */
async function findFresh(
  { tenantId, endpointId }: AlertFile,
  { endpoints }: Needs,
): Promise<KnownEndpoint | undefined> {
  const known = await endpoints.find(tenantId, endpointId);
  if (known && doorOf(known) !== 'endpoint_disabled') return known;
  endpoints.forget(tenantId, endpointId);
  return endpoints.find(tenantId, endpointId);
}

/** Only while it is still under way: whoever was quicker has decided. */
async function stop(name: FileName, action: FileAction, world: Needs): Promise<void> {
  const { file, changed } = await changeFile(
    name,
    (it, nowMs) => (it.state === 'delivering' ? action(it, nowMs) : undefined),
    world,
  );
  if (changed && file.state === 'cancelled') {
    await world.queues.send('file-care', [careMessage(file)]);
  }
}
