import { until } from './until.ts';

/**
 * What has to be done within a time of its own, such as a look at something before that expires:
 * where a machine was too slow for it, so that there is no result, it is tried anew with twice as
 * much time.
 */
export async function inTime<Result>(
  firstMs: number,
  attempt: (ms: number) => Promise<Result | undefined>,
): Promise<Result> {
  let ms = firstMs / 2;
  const isDone = (it: Result | undefined) => it !== undefined;
  const result = await until(() => {
    ms *= 2;
    return attempt(ms);
  }, isDone);
  return result as Result;
}
