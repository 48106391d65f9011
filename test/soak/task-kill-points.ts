import { subscribe } from 'node:diagnostics_channel';
import type { ClientRequest } from 'node:http';
import { callOf, dieIfOrdered, KILL_VARIABLES } from './dying.ts';

/** Steps of firing at which a worker can be killed, by the function that takes them. */
export const TASK_KILL_STEPS = {
  'tasks/on-due': [
    'task-read',
    'before-fire',
    'after-fire',
    'refusal-stored',
    'before-answer',
    'after-answer',
  ],
} as const;
export type TaskKillStep = (typeof TASK_KILL_STEPS)[keyof typeof TASK_KILL_STEPS][number];

/** The step of a call, before it goes out or after it was answered. */
function stepOf(call: string, isAnswered: boolean): TaskKillStep | undefined {
  if (/^(Batch)?GetItem$/.test(call) && isAnswered) return 'task-read';
  if (call === 'TransactWriteItems') return isAnswered ? 'after-fire' : 'before-fire';
  return call === 'PutItem' && isAnswered ? 'refusal-stored' : undefined;
}

/** What the queue is answered goes through the process that called. */
function watchAnswers(folder: string): void {
  const send = process.send?.bind(process);
  if (!send) return;
  process.send = (message: unknown, ...rest: unknown[]) => {
    const isAnswer = (message as { readonly kind?: string }).kind === 'result';
    if (!isAnswer) return (send as (...all: unknown[]) => boolean)(message, ...rest);
    dieIfOrdered(folder, 'before-answer');
    return send(message, undefined, undefined, () => dieIfOrdered(folder, 'after-answer'));
  };
}

/** Loaded into a function before its own code. It only looks on, until an order tells it to die. */
function watch(folder: string): void {
  const onMoment = (isAnswered: boolean) => (message: unknown) => {
    const { request } = message as { request: ClientRequest };
    const step = stepOf(callOf(request), isAnswered);
    if (step) dieIfOrdered(folder, step);
  };
  subscribe('http.client.request.created', onMoment(false));
  subscribe('http.client.response.finish', onMoment(true));
  watchAnswers(folder);
}

const { [KILL_VARIABLES.folder]: folder, [KILL_VARIABLES.entry]: entry } = process.env;
if (folder && entry) watch(folder);
