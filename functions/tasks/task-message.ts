import * as z from 'zod';
import { SECOND_MS } from '../shared/units.ts';
import type { Message } from '../shared/world.ts';

/** A message that looks at a task: the sweeper's, or the one that is sent when it is scheduled. */
export const TaskMessage = z.object({ pk: z.string(), dueMs: z.number() });

export type TaskMessage = z.output<typeof TaskMessage>;

/** A message may come early by the part of a second that it cannot carry, and one more. */
export const EARLY_MS_MAX = 3 * SECOND_MS;

/** Looks at the task when it is due, or at `atMs` when somebody was in the way. */
export function taskMessage({ pk, dueMs }: TaskMessage, atMs: number = dueMs): Message {
  // Fair among tenants, however many tasks one of them has at noon.
  const [tenantId = pk] = pk.split('#', 1);
  return { body: { v: 1, pk, sk: '#', dueMs }, atMs, group: tenantId };
}
