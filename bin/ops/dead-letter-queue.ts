import { PARKED_NAMES } from '../../functions/operations/dead-letter.ts';
import type { ApiCaller } from './api-caller.ts';
import { Refusal } from './command.ts';

const ROUTE = '/v1/admin/dead-letters';

/** A queue of dead letters, as the API shows it. */
export interface DeadLetterQueue {
  readonly queue: string;
  readonly depth: number;
  readonly redrivable: boolean;
  readonly redrive?: {
    readonly status: string;
    readonly moved: number;
    readonly total?: number;
    readonly error?: string;
  };
  readonly messages: readonly {
    readonly id: string;
    readonly sentAt: string;
    readonly body: string;
    readonly reason?: string;
  }[];
}

/** All of them. */
export async function listQueues(admin: ApiCaller): Promise<readonly DeadLetterQueue[]> {
  const { data } = await admin.call<Listed>('GET', ROUTE);
  return data;
}

interface Listed {
  readonly data: readonly DeadLetterQueue[];
}

/** The one of this name, alone: a look at a message is counted. Else refuses with all names. */
export async function findQueue(
  admin: ApiCaller,
  name: string | undefined,
): Promise<DeadLetterQueue> {
  const queue = PARKED_NAMES.find((it) => it === name);
  const { data } = queue
    ? await admin.call<Listed>('GET', `${ROUTE}?queue=${queue}`)
    : { data: [] };
  if (data[0]) return data[0];
  const fault = name === undefined ? 'name a queue' : `there is no queue ${name}`;
  throw new Refusal(`${fault}: ${PARKED_NAMES.join(', ')}`);
}

/** Begins to move its dead letters back. */
export function moveBack(
  admin: ApiCaller,
  queue: string,
  ratePerSecond: number | undefined,
): Promise<DeadLetterQueue> {
  return admin.call('POST', `${ROUTE}/redrive`, { queue, ratePerSecond });
}

/** Deletes one of them for good. */
export async function dropOne(
  admin: ApiCaller,
  queue: string,
  { messageId, reason }: { readonly messageId: string; readonly reason: string },
): Promise<void> {
  await admin.call('POST', `${ROUTE}/drop`, { queue, messageId, reason });
}

/** Deletes those that were sent before a time, as many as one call does. How many that were. */
export async function dropBefore(
  admin: ApiCaller,
  order: { readonly queue: string; readonly sentBefore: string; readonly reason: string },
): Promise<number> {
  return (await admin.call<{ dropped: number }>('POST', `${ROUTE}/drop`, order)).dropped;
}
