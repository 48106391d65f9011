const STEP_MS = 25;

/** Asks until the answer satisfies; the last answer is in the error when time runs out. */
export async function until<Answer>(
  ask: () => Promise<Answer> | Answer,
  satisfies: (answer: Answer) => boolean,
  limitMs = 30_000,
): Promise<Answer> {
  const deadline = Date.now() + limitMs;
  for (;;) {
    const answer = await ask();
    if (satisfies(answer)) return answer;
    if (Date.now() > deadline) {
      throw new Error(
        `not so after ${limitMs} ms, but: ${JSON.stringify(answer)?.slice(0, 2_000)}`,
      );
    }
    await new Promise((resolve) => setTimeout(resolve, STEP_MS));
  }
}
