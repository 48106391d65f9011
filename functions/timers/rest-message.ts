import * as z from 'zod';
import type { Message } from '../shared/world.ts';
import { SWEPT_TABLES } from './due-table.ts';

/** What is due in one minute and shard from a place on: none of it had its message yet. */
export const RestMessage = z.object({
  table: z.enum(SWEPT_TABLES),
  partition: z.string(),
  from: z.string(),
});

export type RestMessage = z.output<typeof RestMessage>;

/** Hands over the rest of a shard. */
export function restMessage({ table, partition, from }: RestMessage): Message {
  return { body: { v: 1, table, partition, from }, group: table };
}
