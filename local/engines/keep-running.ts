import { messageOf } from '../failure.ts';
import type { LocalLog } from '../log.ts';

/** One life of a part: a process, or a thread. */
export interface Run {
  /** Resolves when it is gone, to how it ended. */
  readonly ended: Promise<string>;
  /** Ends it, and resolves when it is gone. */
  stop(): Promise<void>;
}

export interface KeptPart {
  /** For people: `dynamodb`. */
  readonly name: string;
  /** Starts the part where it was before, on the state that it left. */
  readonly run: () => Promise<Run>;
  readonly log: Pick<LocalLog, 'say'>;
  /** The part stays gone: takes one line for people, once. */
  readonly giveUp: (reason: string) => void;
}

/** A part that ends more often than this in a minute would do so for ever. */
const RESTARTS_MAX = 3;
const RESTARTS_WITHIN_MS = 60_000;

/**
 * Starts the part, and starts it again when it ends by itself; each time the log says so. Answers
 * what stops it for good. Throws only what the first start throws.
 */
export async function keepRunning(part: KeptPart): Promise<() => Promise<void>> {
  const { name, run, log, giveUp } = part;
  const restartsMs: number[] = [];
  let isWanted = true;
  let current = await run();
  let starting: Promise<unknown> | undefined;

  /** One more life; answers how that ended, or why there was none. */
  async function again(): Promise<string> {
    try {
      const next = run();
      starting = next.catch(() => undefined);
      current = await next;
      return await current.ended;
    } catch (error) {
      return messageOf(error);
    }
  }

  async function watch(): Promise<void> {
    for (let how = await current.ended; isWanted; how = await again()) {
      if (isTooOften(restartsMs)) {
        return giveUp(`${name} ended ${RESTARTS_MAX + 1} times within a minute (${how})`);
      }
      log.say(name, `ended by itself (${how}) and is started again`);
    }
  }

  const watching = watch();
  return async () => {
    isWanted = false;
    await current.stop();
    await starting;
    // A start that was under way has brought another one since.
    await current.stop();
    await watching;
  };
}

/** Notes one more restart, unless there were too many of late. */
function isTooOften(restartsMs: number[]): boolean {
  const nowMs = Date.now();
  while (restartsMs.length > 0 && nowMs - (restartsMs[0] ?? 0) >= RESTARTS_WITHIN_MS) {
    restartsMs.shift();
  }
  if (restartsMs.length >= RESTARTS_MAX) return true;
  restartsMs.push(nowMs);
  return false;
}
