import type { Contract } from '../../../functions/shared/http/route.ts';
import { PROBLEMS, type ProblemCode } from '../../../functions/shared/problem.ts';

/** Every code that a route can be refused with: its own, and those of every route of its kind. */
export function refusalsOf(contract: Contract): ProblemCode[] {
  const { access, params, query, body, movesMoney, idempotencyKey, refusals = [] } = contract;
  const codes: (ProblemCode | false | undefined)[] = [
    ...(access === 'public' ? [] : (['unauthorized', 'forbidden_scope'] as const)),
    ...(access === 'public' ? [] : (['rate_limited', 'unavailable'] as const)),
    params && 'not_found',
    // Of what the fourth webhook in a row has led to.
    'conflict',
    // A route without a query or a body refuses those that are sent.
    (access !== 'public' || query || body) && 'validation_failed',
    ...(body ? (['malformed_json', 'payload_too_large', 'unsupported_media_type'] as const) : []),
    movesMoney && 'invalid_amount',
    ...(idempotencyKey ? (['idempotency_key_invalid', 'idempotency_key_reused'] as const) : []),
    // A tenant's setting may require it wherever it is accepted.
    idempotencyKey && 'idempotency_key_required',
    'internal',
    ...refusals,
  ];
  const known = new Set(codes);
  return (Object.keys(PROBLEMS) as ProblemCode[]).filter((code) => known.has(code));
}

/** The codes by the status that they are answered with, as in the table of problems. */
export function byStatus(codes: readonly ProblemCode[]): Map<number, ProblemCode[]> {
  return Map.groupBy(codes, (code) => PROBLEMS[code].status);
}
