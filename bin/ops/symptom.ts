import { PROBLEMS, Problem } from '../../functions/shared/problem.ts';
import { reasonOf } from './reason-of.ts';

/** One line of what `doctor` tells. */
export interface Symptom {
  readonly about: string;
  readonly seen: string;
  /** What a person has to do. Without it all is well. */
  readonly advice?: string;
}

/** A place to look at. */
export interface Look {
  readonly about: string;
  look(): Promise<readonly Symptom[]>;
}

/** What cannot be looked at is what somebody is needed for. Never throws. */
export async function lookAt({ about, look }: Look): Promise<readonly Symptom[]> {
  try {
    return await look();
  } catch (error) {
    const reason = error instanceof Problem ? PROBLEMS[error.code].title : reasonOf(error);
    const advice =
      '"A function fails": what does not answer is out of order, or its address wrong.';
    return [{ about, seen: `could not be asked: ${reason}`, advice }];
  }
}
