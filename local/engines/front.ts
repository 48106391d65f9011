import { onFreePort } from '../http/free-port.ts';
import type { LocalLog } from '../log.ts';
import type { Engine } from './engine.ts';
import { type KeptPart, keepRunning } from './keep-running.ts';
import { startThread } from './thread.ts';

export interface FrontOptions {
  /** The engine behind it. */
  readonly endpoint: string;
  readonly log: LocalLog;
  readonly giveUp: KeptPart['giveUp'];
}

/**
 * The address at which single writes are committed in groups, in a thread that is kept running.
 * An engine that is not ours is asked directly, because it may do otherwise.
 */
export async function startFront({ endpoint, log, giveUp }: FrontOptions): Promise<Engine> {
  if (process.env.AWS_ENDPOINT_URL_DYNAMODB) return { endpoint, stop: async () => undefined };

  const program = new URL('../dynamodb/worker.ts', import.meta.url);
  const name = 'dynamodb-front';
  return onFreePort(0, async (port) => {
    const run = () => startThread({ name, program, data: { endpoint, port }, log });
    const stop = await keepRunning({ name, run, log, giveUp });
    return { endpoint: `http://127.0.0.1:${port}`, stop };
  });
}
