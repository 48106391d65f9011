import * as z from 'zod';
import type { Key, Message } from '../shared/world.ts';

/** Asks for the next step of an audit. The sweeper's message does not know which one that is. */
export const AuditMessage = z.object({ pk: z.string(), sk: z.string(), step: z.int().optional() });

export type AuditMessage = z.output<typeof AuditMessage>;

/** A lost one is found by the audit's `due`. */
export function auditMessage({ pk, sk }: Key, step: number, atMs?: number): Message {
  return { body: { v: 1, pk, sk, step }, group: pk, ...(atMs !== undefined && { atMs }) };
}
