import { Worker } from 'node:worker_threads';
import { LocalFailure } from '../failure.ts';
import type { LocalLog } from '../log.ts';
import type { Run } from './keep-running.ts';

export interface ThreadOptions {
  /** For people: `sqs`. */
  readonly name: string;
  /** Its program, which posts `{}` when it listens, or its `failure`; any message stops it. */
  readonly program: URL;
  readonly data: object;
  readonly log: Pick<LocalLog, 'say'>;
}

type Started = { readonly failure?: string };

/** One life of a thread, once it listens. */
export async function startThread({ name, program, data, log }: ThreadOptions): Promise<Run> {
  const worker = new Worker(program, { workerData: data });
  worker.on('error', (error) => log.say(name, `crashed: ${error.message}`));
  const ended = new Promise<string>((resolve) => {
    worker.once('exit', (code) => resolve(`exit code ${code}`));
  });
  const started = await Promise.race([
    new Promise<Started>((resolve) => worker.once('message', resolve)),
    ended.then((how): Started => ({ failure: `${name} does not start: ${how}` })),
  ]);
  if (started.failure !== undefined) throw new LocalFailure(started.failure);
  return {
    ended,
    async stop() {
      worker.postMessage('stop');
      await ended;
    },
  };
}
