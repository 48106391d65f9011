import * as z from 'zod';
import type { Message } from '../shared/world.ts';
import type { AlertFile } from './file.ts';

/** Asks a worker to go on with a block. Lost ones are found by the file's `due`. */
export const BlockMessage = z.object({
  tenant: z.string(),
  file: z.string(),
  block: z.int(),
  /** Slots of the endpoint's pace that were taken for the next users already. */
  slots: z.array(z.number()).default([]),
});

export type BlockMessage = z.output<typeof BlockMessage>;

/** `slots` are times that a worker has reserved, and leaves to the next one. */
export function blockMessage(
  { tenantId, id }: Pick<AlertFile, 'tenantId' | 'id'>,
  block: number,
  later: { readonly atMs?: number; readonly slots?: readonly number[] } = {},
): Message {
  const { atMs, slots } = later;
  return {
    body: { v: 1, tenant: tenantId, file: id, block, ...(slots && { slots }) },
    group: tenantId,
    ...(atMs !== undefined && { atMs }),
  };
}
