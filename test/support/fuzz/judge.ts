import { isDeepStrictEqual } from 'node:util';
import type { Contract } from '../../../functions/shared/http/route.ts';
import { safePath } from '../../../functions/shared/http/safe-path.ts';
import { PROBLEMS, type ProblemCode } from '../../../functions/shared/problem.ts';
import { type FuzzAnswer, type FuzzCall, NO_ANSWER } from './call.ts';
import { isRecord } from './json-schema.ts';

/** What no answer may tell: code, tables, machines. */
const LEAKS =
  /node_modules|\.m?[jt]s:\d+|\bat \w+ \(|arn:aws|dynamo|ZodError|TypeError|Tallyhook-\w+Table/i;

/** Refusals of the input itself; a request that fits its contract never gets them. */
const OF_THE_INPUT: readonly string[] = [
  'malformed_json',
  'unsupported_media_type',
  'validation_failed',
  'invalid_amount',
  'idempotency_key_required',
  'idempotency_key_invalid',
  'unauthorized',
  'forbidden_scope',
  'method_not_allowed',
];

/** Everything that is wrong with the answer, one sentence each; nothing is good. */
export function judge(call: FuzzCall, answer: FuzzAnswer, secrets: readonly string[]): string[] {
  if (answer.status === NO_ANSWER) return ['there was no whole answer'];
  const complaints = [
    ...(answer.status >= 500 && answer.status !== 503 ? ['a fault of ours'] : []),
    ...(!isPage(call, answer) && LEAKS.test(answer.text) ? ['it tells of the inside'] : []),
    ...(secrets.some((it) => answer.text.includes(it)) ? ['it shows a secret'] : []),
    ...(answer.headers.has('x-request-id') ? [] : ['it has no X-Request-Id']),
  ];
  const body = bodyOf(answer);
  if (answer.status < 400) return [...complaints, ...judgeSuccess(call, answer, body)];
  return [...complaints, ...judgeShape(call, answer, body), ...judgeRefusal(call, body)];
}

/** Whether it is a page or its code, which everybody may read. */
function isPage({ contract }: FuzzCall, { status }: FuzzAnswer): boolean {
  return status === 200 && contract.access === 'public' && contract.reply.contentType !== undefined;
}

function bodyOf({ headers, text }: FuzzAnswer): unknown {
  if (!/json/.test(headers.get('content-type') ?? '')) return text;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function judgeSuccess({ contract, expected }: FuzzCall, answer: FuzzAnswer, body: unknown) {
  const complaints: string[] = [];
  if (expected.kind === 'invalid') complaints.push('nonsense was accepted');
  if (expected.kind === 'replay') {
    if (!isRecord(body) || body.id !== expected.id) complaints.push('a replay made another object');
    if (!answer.headers.has('idempotent-replayed')) complaints.push('a replay does not say so');
  }
  if (contract.reply.contentType !== undefined) return complaints;
  const parsed = contract.reply.schema.safeParse(body);
  if (!parsed.success) complaints.push(`it does not fit its schema: ${parsed.error.message}`);
  else if (!isDeepStrictEqual(parsed.data, body)) complaints.push('it has more than its schema');
  return complaints;
}

function judgeShape({ target }: FuzzCall, { headers, status }: FuzzAnswer, body: unknown) {
  if (!isRecord(body)) return ['the refusal is no JSON'];
  const { code, errors = [] } = body;
  if (!isKnown(code)) return [`the code ${String(code)} is not in the table`];
  const pairs: readonly (readonly [string, unknown, unknown])[] = [
    ['content-type', headers.get('content-type'), 'application/problem+json'],
    ['status', status, PROBLEMS[code].status],
    ['body.status', body.status, PROBLEMS[code].status],
    ['title', body.title, PROBLEMS[code].title],
    ['type', body.type, `https://tallyhook.dev/problems#${code}`],
    ['instance', body.instance, safePath(target.split('?')[0] ?? '')],
    ['requestId', body.requestId, headers.get('x-request-id')],
    ['retryable', body.retryable, [429, 500, 503].includes(status)],
    ['detail', typeof body.detail, 'string'],
    ['errors', Array.isArray(errors) && errors.every(isError), true],
  ];
  return pairs
    .filter(([, is, wanted]) => is !== wanted)
    .map(([name, is, wanted]) => `${name} is ${String(is)} and not ${String(wanted)}`);
}

function isKnown(code: unknown): code is ProblemCode {
  return typeof code === 'string' && Object.hasOwn(PROBLEMS, code);
}

function isError(it: unknown): boolean {
  return isRecord(it) && [it.pointer, it.code, it.detail].every((text) => typeof text === 'string');
}

function judgeRefusal({ contract, expected, target }: FuzzCall, body: unknown): string[] {
  const code = isRecord(body) ? String(body.code) : '';
  if (expected.kind === 'noise') {
    // The path may be that of another route, or of none.
    const isOnRoute = !/[/%]/.test(target.replace(contract.path, ''));
    return isOnRoute && !documented(contract).has(code) ? [`${code} is not documented`] : [];
  }
  if (expected.kind === 'replay') return [`a replay was refused with ${code}`];
  if (!documented(contract).has(code)) return [`${code} is not documented for this route`];
  if (expected.kind === 'valid' && OF_THE_INPUT.includes(code) && !isOfTheMoment(body)) {
    return [`it is valid, not ${code}`];
  }
  if (expected.kind === 'invalid' && expected.codes && !expected.codes.includes(code)) {
    return [`it should be ${expected.codes.join(' or ')}, not ${code}`];
  }
  return [];
}

/** Fields that no schema can judge alone, because it takes the time, the path or another object. */
const OF_THE_MOMENT = /^(\/(expiresAt|from|rateLimit\/\w+|destinationAccountId)|\?currency)$/;

function isOfTheMoment(body: unknown): boolean {
  const errors = isRecord(body) && Array.isArray(body.errors) ? body.errors : [];
  return errors.length > 0 && errors.every((it) => OF_THE_MOMENT.test(String(it.pointer)));
}

/** The codes that a route may answer: its own, and those that its shape brings with it. */
export function documented(contract: Contract): ReadonlySet<string> {
  const { body, query, params, idempotencyKey, access, refusals = [] } = contract;
  return new Set<string>([
    ...refusals,
    'rate_limited',
    ...(body
      ? ['malformed_json', 'unsupported_media_type', 'payload_too_large', 'invalid_amount']
      : []),
    ...(body || query || access !== 'public' ? ['validation_failed'] : []),
    ...(params ? ['not_found'] : []),
    ...(idempotencyKey ? ['idempotency_key_required', 'idempotency_key_invalid'] : []),
    ...(access === 'public' ? [] : ['unauthorized', 'forbidden_scope']),
  ]);
}
