import { existsSync, renameSync, writeFileSync } from 'node:fs';
import type { ClientRequest } from 'node:http';
import { join } from 'node:path';

/** Names of the variables by which a function is told where its orders to die are. */
export const KILL_VARIABLES = { folder: 'SOAK_KILL_FOLDER', entry: 'SOAK_KILL_ENTRY' } as const;

/** What a worker leaves behind of its death; some programs note more. */
export interface Death {
  readonly step: string;
  readonly atMs: number;
}

/** The call that a request is; its headers are set when it is made. */
export function callOf(request: ClientRequest): string {
  if (request.getHeader('webhook-id') !== undefined) return 'alert';
  const target = request.getHeader('x-amz-target');
  if (typeof target === 'string') return target.split('.').at(-1) ?? '';
  return `${request.method} ${request.path}`;
}

/** Ends this process if that was ordered at this step. Whoever takes an order dies of it alone. */
export function dieIfOrdered(folder: string, step: string, more: object = {}): void {
  const order = join(folder, step);
  if (!existsSync(order)) return;
  try {
    renameSync(order, `${order}.taken`);
  } catch {
    return;
  }
  const death: Death = { step, atMs: Date.now(), ...more };
  writeFileSync(`${order}.done.${process.pid}`, JSON.stringify(death));
  process.kill(process.pid, 'SIGKILL');
  // The signal may reach another thread first: nothing more may happen on this one.
  for (;;);
}
