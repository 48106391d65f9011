import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { problemAnswer } from '../../functions/shared/http/problem-answer.ts';
import { defineRoute } from '../../functions/shared/http/route.ts';
import { Problem } from '../../functions/shared/problem.ts';
import type { Expectation, FuzzAnswer } from '../support/fuzz/call.ts';
import { judge } from '../support/fuzz/judge.ts';

const contract = defineRoute({
  method: 'POST',
  path: '/v1/things',
  summary: '',
  access: 'events:write',
  body: z.strictObject({ a: z.string() }),
  reply: { status: 201, schema: z.object({ id: z.string() }) },
  refusals: ['conflict'],
});

const complaintsOf = (answer: FuzzAnswer, expected: Expectation = { kind: 'valid' }) => {
  const call = { contract, expected, what: '', target: '/v1/things?a=b', headers: {} };
  return judge(call, answer, ['th_live_secret']).join('; ');
};

const made = (body: object, headers: Record<string, string> = {}): FuzzAnswer => ({
  status: 201,
  headers: new Headers({ 'content-type': 'application/json', 'x-request-id': 'r', ...headers }),
  text: JSON.stringify(body),
});

function refused(problem: Problem, headers: Record<string, string> = {}): FuzzAnswer {
  const answer = problemAnswer(problem, { requestId: 'r', path: '/v1/things' });
  const all = { ...answer.headers, 'x-request-id': 'r', ...headers } as Record<string, string>;
  return {
    status: Number(answer.statusCode),
    headers: new Headers(all),
    text: String(answer.body),
  };
}

describe('the judge', () => {
  it('has nothing against orderly answers', () => {
    expect(complaintsOf(made({ id: '1' }))).toBe('');
    expect(complaintsOf(refused(new Problem('conflict')))).toBe('');
    const invalid = { kind: 'invalid', codes: ['validation_failed'] } as const;
    expect(complaintsOf(refused(new Problem('validation_failed')), invalid)).toBe('');
    const replay = { kind: 'replay', id: '1' } as const;
    expect(complaintsOf(made({ id: '1' }, { 'idempotent-replayed': 'true' }), replay)).toBe('');
  });

  it.each([
    ['no whole answer', { status: 0, headers: new Headers(), text: 'reset' }, 'valid'],
    ['a fault of ours', refused(new Problem('internal')), 'valid'],
    ['nonsense was accepted', made({ id: '1' }), 'invalid'],
    ['it does not fit its schema', made({ id: 1 }), 'valid'],
    ['it has more than its schema', made({ id: '1', pk: 'x' }), 'valid'],
    ['it shows a secret', made({ id: 'th_live_secret' }), 'valid'],
    ['it tells of the inside', made({ id: 'at handler (api.mjs:12)' }), 'valid'],
    ['it tells of the inside', made({ id: 'arn:aws:dynamodb:x' }), 'valid'],
    ['it is valid, not validation_failed', refused(new Problem('validation_failed')), 'valid'],
    ['busy is not documented', refused(new Problem('busy')), 'valid'],
    ['should be not_found, not conflict', refused(new Problem('conflict')), 'wrong id'],
    [
      'content-type is',
      refused(new Problem('conflict'), { 'content-type': 'application/json' }),
      'valid',
    ],
    ['requestId is', refused(new Problem('conflict'), { 'x-request-id': 'other' }), 'valid'],
    ['the refusal is no JSON', { ...refused(new Problem('conflict')), text: 'sorry' }, 'valid'],
    ['a replay made another object', made({ id: '2' }), 'replay'],
    ['a replay does not say so', made({ id: '1' }), 'replay'],
    ['a replay was refused', refused(new Problem('conflict')), 'replay'],
  ])('complains: %s', (complaint, answer, kind) => {
    const expectations: Record<string, Expectation> = {
      valid: { kind: 'valid' },
      invalid: { kind: 'invalid' },
      'wrong id': { kind: 'invalid', codes: ['not_found'] },
      replay: { kind: 'replay', id: '1' },
    };

    expect(complaintsOf(answer, expectations[kind])).toContain(complaint);
  });
});
