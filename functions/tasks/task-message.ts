import * as z from 'zod';
import { SECOND_MS } from '../shared/units.ts';
import type { Message } from '../shared/world.ts';

const DueTask = z.object({ pk: z.string(), dueMs: z.number() });

/** A task, and when it was due when somebody was to look at it. */
export type DueTask = z.output<typeof DueTask>;

/**
 * A message that looks at a task: the one that is sent when it is scheduled, or the one of the
 * sweeper, which names those that are due with it as well.
 */
export const TaskMessage = DueTask.extend({ others: z.array(DueTask).optional() });

export type TaskMessage = z.output<typeof TaskMessage>;

/** All that a message is to look at. */
export function tasksIn({ pk, dueMs, others = [] }: TaskMessage): readonly DueTask[] {
  return [{ pk, dueMs }, ...others];
}

/** A message may come early by the part of a second that it cannot carry, and one more. */
export const EARLY_MS_MAX = 3 * SECOND_MS;

/** Looks at the task when it is due, or at `atMs` when somebody was in the way. */
export function taskMessage({ pk, dueMs }: DueTask, atMs: number = dueMs): Message {
  // Fair among tenants, however many tasks one of them has at noon.
  const [tenantId = pk] = pk.split('#', 1);
  return { body: { v: 1, pk, sk: '#', dueMs }, atMs, group: tenantId };
}
