import { Problem } from '../../functions/shared/problem.ts';

/** What a decision comes to: its answer, or the code of its refusal. A bug is thrown on. */
export function outcomeOf<Answer>(decide: () => Answer): Answer | string {
  try {
    return decide();
  } catch (error) {
    if (error instanceof Problem) return error.code;
    throw error;
  }
}
