import type { Message } from '../shared/world.ts';
import { fileKey } from './file.store.ts';
import type { AlertFile } from './file.ts';

/** Asks for the look at a file that is due, so that it need not wait for the sweeper. */
export function careMessage({ tenantId, id, dueMs = 0 }: AlertFile): Message {
  const key = fileKey({ tenantId, fileId: id });
  return { body: { v: 1, ...key, dueMs }, atMs: dueMs, group: tenantId };
}
