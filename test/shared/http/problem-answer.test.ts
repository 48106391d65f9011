import { expect, it } from 'vitest';
import { problemAnswer } from '../../../functions/shared/http/problem-answer.ts';
import { Problem } from '../../../functions/shared/problem.ts';

const request = { requestId: 'req_1', path: '/v1/replays' };

it.each([
  ['one', new Problem('busy'), '1'],
  ['what is known', new Problem('busy', { retryAfterSeconds: 7 }), '7'],
])('says of busy when to come again: after %s', (_what, problem, seconds) => {
  expect(problemAnswer(problem, request).headers?.['retry-after']).toBe(seconds);
});

it('says no time where to come again is of no use', () => {
  expect(problemAnswer(new Problem('not_found'), request).headers).not.toHaveProperty(
    'retry-after',
  );
});
