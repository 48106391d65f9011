import { expect } from 'vitest';
import { safePath } from '../../functions/shared/http/safe-path.ts';
import { PROBLEMS, type ProblemCode } from '../../functions/shared/problem.ts';
import type { RawAnswer } from './raw-http.ts';

interface ProblemBody {
  readonly code: string;
  readonly detail: string;
  readonly errors?: readonly { readonly pointer: string; readonly code: string }[];
}

const RETRYABLE = [429, 500, 503];

/**
 * Expects a refusal with everything that belongs to one. `faults` are all of its errors, each as
 * `<pointer> <code>`. Answers its body.
 */
export function expectRefusal(
  { status, headers, text }: RawAnswer,
  code: ProblemCode,
  { target, faults }: { readonly target?: string; readonly faults?: readonly string[] } = {},
): ProblemBody {
  const body = JSON.parse(text) as ProblemBody;
  const wanted = PROBLEMS[code];
  expect([status, body.code], text.slice(0, 500)).toEqual([wanted.status, code]);
  expect(headers.get('content-type')).toBe('application/problem+json');
  expect(body).toMatchObject({
    type: `https://tallyhook.dev/problems#${code}`,
    title: wanted.title,
    status: wanted.status,
    detail: expect.stringMatching(/\S/),
    requestId: headers.get('x-request-id'),
    retryable: RETRYABLE.includes(wanted.status),
    ...(target !== undefined && { instance: safePath(target.split('?')[0] ?? '') }),
  });
  if (faults) {
    const told = (body.errors ?? []).map((it) => `${it.pointer} ${it.code}`);
    expect(told.sort()).toEqual([...faults].sort());
  }
  return body;
}
