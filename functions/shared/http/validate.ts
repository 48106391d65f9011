import type * as z from 'zod';
import { Problem, type ProblemCode, type ProblemError } from '../problem.ts';
import { AMOUNT_FAULT, DELAY_FAULT, DUE_AT_FAULT, ONE_DUE_FAULT, TOO_LONG_FAULT } from '../wire.ts';
import { wordsOf } from './fault-words.ts';

type Issue = z.core.$ZodIssue;

/** Faults that have a code of their own, by their messages. */
const OWN_CODES: Readonly<Record<string, ProblemCode>> = {
  [AMOUNT_FAULT]: 'invalid_amount',
  [DUE_AT_FAULT]: 'invalid_due_time',
  [DELAY_FAULT]: 'invalid_due_time',
  [ONE_DUE_FAULT]: 'invalid_due_time',
};

/** More faults than this are not told, so that a bad body cannot make a huge answer. */
const ERRORS_MAX = 100;
/** So many of them stand in the sentence for people as well. */
const DETAILS_MAX = 5;

/**
 * The decoded value, or all of its faults at once, each with its pointer; of a list that is too
 * long for any request, `payload_too_large`.
 */
export function validate(schema: z.ZodType, value: unknown, root = ''): unknown {
  const result = schema.safeParse(value, { error: wordsOf });
  if (result.success) return result.data;

  assertNotTooLong(result.error.issues);
  const issues = withoutEchoes(result.error.issues.slice(0, ERRORS_MAX));
  const errors = issues.flatMap((issue) => toErrors(issue, value, root)).slice(0, ERRORS_MAX);
  const told = errors.slice(0, DETAILS_MAX);
  const detail = told.map((it) => `${it.pointer || 'The body'}: ${it.detail}`).join('; ');
  throw new Problem(codeOf(errors), { detail, errors });
}

/** Of what is of a wrong type nothing else is told: a list has a length as well as a text. */
function withoutEchoes(issues: readonly Issue[]): Issue[] {
  const placeOf = ({ path }: Issue) => path.map(toPointerStep).join('');
  const isMistyped = (it: Issue) => it.code === 'invalid_type';
  const mistyped = new Set(issues.filter(isMistyped).map(placeOf));
  return issues.filter((it) => isMistyped(it) || !mistyped.has(placeOf(it)));
}

/** The one that all of them share, where that is one of their own. */
function codeOf(errors: readonly ProblemError[]): ProblemCode {
  const [first, ...others] = new Set(errors.map((it) => it.code));
  const own = Object.values(OWN_CODES).find((it) => it === first);
  return own && others.length === 0 ? own : 'validation_failed';
}

function assertNotTooLong(issues: readonly Issue[]): void {
  const issue = issues.find((it) => it.message === TOO_LONG_FAULT);
  if (issue?.code !== 'too_big') return;
  const detail = `${issue.path.map(toPointerStep).join('')} may have ${issue.maximum} at most.`;
  throw new Problem('payload_too_large', { detail });
}

function toErrors(issue: Issue, value: unknown, root: string): ProblemError[] {
  const at = (path: readonly PropertyKey[]) =>
    path
      .map(toPointerStep)
      .join('')
      .replace(/^\//, root === '' ? '/' : root);
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({
      pointer: at([...issue.path, key]),
      code: 'unknown_field',
      detail: 'is not a field of this request',
    }));
  }
  const pointer = at(issue.path);
  if (isMissing(value, issue.path)) {
    return [{ pointer, code: 'required', detail: 'is required' }];
  }
  const code = OWN_CODES[issue.message] ?? 'invalid';
  return [{ pointer, code, detail: issue.message }];
}

/** RFC 6901: `~` and `/` are escaped. */
function toPointerStep(step: PropertyKey): string {
  return `/${String(step).replaceAll('~', '~0').replaceAll('/', '~1')}`;
}

/** Whether the path ends where an object has no such member. */
function isMissing(value: unknown, path: readonly PropertyKey[]): boolean {
  let here = value;
  for (const step of path) {
    if (here === null || typeof here !== 'object') return false;
    here = (here as Record<PropertyKey, unknown>)[step];
  }
  return here === undefined;
}
