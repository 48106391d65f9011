/**
 * Against hanging: a machine may be busy with other things. But less than the two minutes after
 * which a reconciler or a sweeper helps, which would hide that the way before them is broken. The
 * drills, which wait for just that, have more.
 */
const LIMIT_MS = Number(process.env.TEST_PATIENCE_MS ?? 100_000);
const STEP_MS = 25;
/** Asking takes a fifth of the time at most: what is waited for needs the machine as well. */
const PAUSE_SHARE = 4;
const PAUSE_MS_MAX = 1_000;
/** Also where a test has taken the clock in hand: what is waited for takes time of the machine. */
const { setTimeout: wake } = globalThis;
const nowMs = performance.now.bind(performance);

/**
 * Asks until the answer satisfies; the last answer is in the error when time runs out. `stepMs` is
 * the least time between two questions: more than a moment where the answer comes to stay.
 */
export async function until<Answer>(
  ask: () => Promise<Answer> | Answer,
  satisfies: (answer: Answer) => boolean,
  limitMs = LIMIT_MS,
  stepMs = STEP_MS,
): Promise<Answer> {
  const deadline = nowMs() + limitMs;
  for (;;) {
    const askedMs = nowMs();
    const answer = await ask();
    if (satisfies(answer)) return answer;
    const answeredMs = nowMs();
    if (answeredMs > deadline) {
      throw new Error(
        `not so after ${limitMs} ms, but: ${JSON.stringify(answer)?.slice(0, 2_000)}`,
      );
    }
    const pauseMs = Math.min(PAUSE_MS_MAX, PAUSE_SHARE * (answeredMs - askedMs));
    await new Promise((resolve) => wake(resolve, Math.max(stepMs, pauseMs)));
  }
}

/** Looks until nothing is thrown; what is thrown last is the error when time runs out. */
export async function eventually(look: () => Promise<unknown> | unknown): Promise<void> {
  let thrown: unknown;
  const isSo = async () => {
    try {
      await look();
      return true;
    } catch (error) {
      thrown = error;
      return false;
    }
  };
  await until(isSo, (it) => it).catch(() => {
    throw thrown;
  });
}
