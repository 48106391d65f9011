import * as z from 'zod';
import type { Message } from '../shared/world.ts';

/** A message that looks at a hold: the sweeper's, or the one that a new hold sends itself. */
export const HoldMessage = z.object({ pk: z.string(), dueMs: z.number() });

/** Looks at the hold when it expires, or at `atMs` when somebody was in the way. */
export function holdMessage(
  { pk, dueMs }: z.output<typeof HoldMessage>,
  atMs: number = dueMs,
): Message {
  return { body: { v: 1, pk, sk: '#', dueMs }, atMs, group: pk };
}
