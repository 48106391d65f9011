import type { Message } from '../shared/world.ts';
import { fileKey } from './file.store.ts';
import type { AlertFile } from './file.ts';

/**
 * Asks for the look at a file that is due, so that it need not wait for the sweeper. One that was
 * paused until now goes on with what was skipped meanwhile.
 */
export function careMessage(
  { tenantId, id, dueMs = 0 }: AlertFile,
  how: { readonly wasPaused?: boolean } = {},
): Message {
  const key = fileKey({ tenantId, fileId: id });
  return { body: { v: 1, ...key, dueMs, ...how }, atMs: dueMs, group: tenantId };
}
