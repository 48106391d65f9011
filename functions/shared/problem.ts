/** Every refusal that Tallyhook knows: code → status and title. Nothing else leaves as an error. */
export const PROBLEMS = {
  malformed_json: { status: 400, title: 'The body is not well-formed JSON' },
  idempotency_key_required: { status: 400, title: 'An Idempotency-Key is required' },
  idempotency_key_invalid: { status: 400, title: 'The Idempotency-Key is not valid' },
  invalid_cursor: { status: 400, title: 'The cursor does not belong to this list' },
  unauthorized: { status: 401, title: 'A valid API key is required' },
  signature_invalid: { status: 401, title: 'The signature does not fit' },
  forbidden_scope: { status: 403, title: 'The key does not have the scope of this route' },
  not_found: { status: 404, title: 'There is no such object' },
  method_not_allowed: { status: 405, title: 'The method is not allowed here' },
  conflict: { status: 409, title: 'The state of the object does not allow this' },
  hold_resolved: { status: 409, title: 'The hold is already resolved' },
  already_reversed: { status: 409, title: 'The transaction is already reversed' },
  task_already_fired: { status: 409, title: 'The task has already fired' },
  task_cancelled: { status: 409, title: 'The task is cancelled' },
  not_retryable: { status: 409, title: 'This cannot be retried in its state' },
  precondition_failed: { status: 412, title: 'A precondition does not hold' },
  payload_too_large: { status: 413, title: 'The body is too large' },
  unsupported_media_type: { status: 415, title: 'The content type is not supported' },
  validation_failed: { status: 422, title: 'The request does not fit the schema' },
  invalid_amount: { status: 422, title: 'The amount is not valid' },
  idempotency_key_reused: { status: 422, title: 'The Idempotency-Key was used before' },
  insufficient_funds: { status: 422, title: 'The account has insufficient funds' },
  limit_exceeded: { status: 422, title: 'A limit would be exceeded' },
  account_frozen: { status: 422, title: 'The account is frozen' },
  account_closed: { status: 422, title: 'The account is closed' },
  currency_mismatch: { status: 422, title: 'The currency is not that of the account' },
  same_account: { status: 422, title: 'Source and destination are the same account' },
  batch_too_large: { status: 422, title: 'The batch exceeds what one transaction can hold' },
  not_available: { status: 422, title: 'This is not defined for this object' },
  url_not_allowed: { status: 422, title: 'The URL is not allowed' },
  invalid_due_time: { status: 422, title: 'The due time is not valid' },
  rate_limited: { status: 429, title: 'Too many requests' },
  backpressure: { status: 429, title: 'The backlog is full' },
  internal: { status: 500, title: 'Something went wrong on our side' },
  busy: { status: 503, title: 'Too much contention, try again' },
  source_closed: { status: 503, title: 'The source takes no webhooks at present' },
  unavailable: { status: 503, title: 'A dependency does not answer, try again' },
} as const;

export type ProblemCode = keyof typeof PROBLEMS;

const RETRYABLE_STATUS: ReadonlySet<number> = new Set([429, 500, 503]);

/** Whether the same request may succeed later. */
export function isRetryable(code: ProblemCode): boolean {
  return RETRYABLE_STATUS.has(PROBLEMS[code].status);
}

export interface ProblemError {
  /** RFC 6901, into the request body. */
  readonly pointer: string;
  readonly code: string;
  readonly detail: string;
}

export interface ProblemFacts {
  /** What is wrong in this case and what to do next: a sentence for a person. */
  readonly detail?: string;
  readonly errors?: readonly ProblemError[];
  /** When it is worth trying again. */
  readonly retryAfterSeconds?: number;
  /** The refusal was decided by an earlier request with the same Idempotency-Key. */
  readonly replayed?: boolean;
  /** The methods of a 405. */
  readonly allow?: readonly string[];
}

/** An expected refusal. Whatever else is thrown is a bug and becomes a 500 without detail. */
export class Problem extends Error {
  override readonly name = 'Problem';
  readonly code: ProblemCode;
  readonly facts: ProblemFacts;

  constructor(code: ProblemCode, facts: ProblemFacts = {}) {
    super(facts.detail ?? PROBLEMS[code].title);
    this.code = code;
    this.facts = facts;
  }
}
