import { subscribe } from 'node:diagnostics_channel';
import type { ClientRequest } from 'node:http';
import { callOf, dieIfOrdered, KILL_VARIABLES } from './dying.ts';

/** Steps of receiving and of processing at which a function can be killed. */
export const INBOX_KILL_STEPS = {
  'inbox/api': ['before-store', 'after-store', 'before-message', 'after-message'],
  'inbox/on-receipt': ['before-claim', 'after-claim', 'before-forward', 'after-forward'],
} as const;

export type InboxEntry = keyof typeof INBOX_KILL_STEPS;
export type InboxKillStep = (typeof INBOX_KILL_STEPS)[InboxEntry][number];

/** By the call that is made there: before it goes out, and after it was answered. */
const STEPS: Readonly<Record<InboxEntry, Readonly<Record<string, readonly InboxKillStep[]>>>> = {
  'inbox/api': {
    PutItem: ['before-store', 'after-store'],
    TransactWriteItems: ['before-store', 'after-store'],
    SendMessageBatch: ['before-message', 'after-message'],
  },
  'inbox/on-receipt': {
    UpdateItem: ['before-claim', 'after-claim'],
    TransactWriteItems: ['before-forward', 'after-forward'],
  },
};

/** Loaded into a function before its own code. It only looks on, until an order tells it to die. */
function watch(folder: string, entry: InboxEntry): void {
  const onMoment = (at: 0 | 1) => (message: unknown) => {
    const { request } = message as { request: ClientRequest };
    const step = STEPS[entry][callOf(request)]?.[at];
    if (step) dieIfOrdered(folder, step);
  };
  subscribe('http.client.request.created', onMoment(0));
  subscribe('http.client.response.finish', onMoment(1));
}

const { [KILL_VARIABLES.folder]: folder, [KILL_VARIABLES.entry]: entry } = process.env;
if (folder && entry) watch(folder, entry as InboxEntry);
