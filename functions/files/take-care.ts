import * as z from 'zod';
import type { Receipt } from '../shared/aws/batch.ts';
import type { World } from '../shared/world.ts';
import { careForFile } from './care-for-file.ts';
import { SettleNotice, takeNotice } from './take-notice.ts';

/** The sweeper's form: the key of a file whose `due` has come; or that of whoever resumed it. */
const DueFile = z.object({
  pk: z.string(),
  dueMs: z.number(),
  wasPaused: z.boolean().optional(),
});

/** Decodes both kinds of messages. */
export const CareMessage = z.union([SettleNotice, DueFile]);

type Needs = Pick<World, 'bucket' | 'clock' | 'db' | 'ids' | 'log' | 'queues'>;

/** The work of one message of the queue `file-care`. */
export async function takeCare(
  message: z.output<typeof CareMessage>,
  world: Needs,
  receipt: Pick<Receipt, 'deadlineMs'>,
): Promise<void> {
  if ('pk' in message) await careForFile(message, world, receipt);
  else await takeNotice(message, world);
}
