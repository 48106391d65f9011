import * as z from 'zod';
import type { Message } from '../shared/world.ts';
import type { AlertFile } from './file.ts';
import type { KeptSlots } from './turn.ts';

/** Asks a worker to go on with a block. Lost ones are found by the file's `due`. */
export const BlockMessage = z.object({
  tenant: z.string(),
  file: z.string(),
  block: z.int(),
  /** Slots of the endpoint's pace that were taken for the next users already. */
  slots: z.array(z.number()).default([]),
  /** The version of the pace that they belong to. */
  pv: z.number().default(0),
  /** Somebody has seen that the block need not rest any longer. */
  woken: z.boolean().default(false),
});

export type BlockMessage = z.output<typeof BlockMessage>;

/** `kept` are slots that a worker has reserved, and leaves to the next one. */
export function blockMessage(
  { tenantId, id }: Pick<AlertFile, 'tenantId' | 'id'>,
  block: number,
  later: {
    readonly atMs?: number;
    readonly kept?: KeptSlots | undefined;
    readonly woken?: boolean;
  } = {},
): Message {
  const { atMs, kept, woken } = later;
  const slots = kept && { slots: kept.slotsMs, pv: kept.version };
  return {
    body: { v: 1, tenant: tenantId, file: id, block, ...slots, woken },
    group: tenantId,
    ...(atMs !== undefined && { atMs }),
  };
}
