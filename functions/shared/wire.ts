import * as z from 'zod';
import { isMessageTemplate } from './message-template.ts';
import { KIB } from './units.ts';

const FIRST_MS = Date.parse('0000-01-01T00:00:00.000Z');
const LAST_MS = Date.parse('9999-12-31T23:59:59.999Z');
const YEAR_FAULT = 'must be in the years 0000 to 9999 in UTC';

/**
 * RFC 3339 with an offset on the wire, milliseconds since 1970 inside. The offset of one in year
 * 0000 or 9999 may lead out of them, where RFC 3339 ends: such a one is refused.
 */
export const Instant = instant(Date.parse);

function instant(decode: (text: string) => number, fault?: string) {
  const yearFault = fault ?? YEAR_FAULT;
  return z.codec(
    z.iso.datetime({ offset: true, ...(fault && { error: fault }) }),
    z.int().min(FIRST_MS, yearFault).max(LAST_MS, yearFault),
    {
      decode,
      encode: (ms) => toInstant(ms),
    },
  );
}

/** Milliseconds since 1970 as `2026-11-21T10:30:00.000Z`. */
export function toInstant(ms: number): string {
  return new Date(ms).toISOString();
}

/** 128 bits: the first of the 26 characters holds three of them. */
const CROCKFORD_26 = '[0-7][0-9A-HJKMNP-TV-Z]{25}';

/** An id of one kind of object: prefix, `_`, 26 Crockford base32 characters. */
export function id<Prefix extends string>(prefix: Prefix) {
  const part = z.string().regex(new RegExp(`^${CROCKFORD_26}$`));
  return z.templateLiteral([prefix, '_', part], `must be an id: ${prefix}_ and 26 characters`);
}

/** Text that survives UTF-8 and DynamoDB unchanged: no NUL, no lone surrogate. */
export function text(minLength: number, maxLength: number) {
  return z
    .string()
    .min(minLength)
    .max(maxLength)
    .refine((it) => !it.includes('\0') && it.isWellFormed(), 'must be well-formed without NUL');
}

/** What each alert of a file says: text in which `{{first_name}}` stands for a column. */
export function messageText() {
  return text(1, 1_000).refine(isMessageTemplate, 'holds {{ without the name of a column and }}');
}

/** The message of every wrong amount; by it a refusal becomes `invalid_amount`. */
export const AMOUNT_FAULT =
  'must be minor units from 1 to 10^18: a string of digits or an exact integer';

/** The messages of every wrong due time; by them a refusal becomes `invalid_due_time`. */
export const DUE_AT_FAULT = 'must be a time with an offset, at most five years ahead';
export const DELAY_FAULT = 'must be whole seconds from 0 to 157680000: five years';
export const ONE_DUE_FAULT = 'must name either a dueAt or a delaySeconds';

/**
 * When something is to happen, like `Instant`, but never before that: a part of a millisecond
 * counts as a whole one. Whether it is past or far is to be judged.
 */
export const DueAt = instant(roundedUp, DUE_AT_FAULT);

/** `Date.parse` cuts off what is behind the milliseconds. */
function roundedUp(text: string): number {
  return Date.parse(text) + (/\.\d{3}\d*[1-9]/.test(text) ? 1 : 0);
}

/** In how many seconds something is to happen. */
export const DelaySeconds = z.int(DELAY_FAULT).min(0, DELAY_FAULT).max(157_680_000, DELAY_FAULT);

/** The message of a list too long for any request; by it a refusal becomes `payload_too_large`. */
export const TOO_LONG_FAULT = 'has more elements than a request may carry';

const METADATA_KEYS_MAX = 50;

/**
 * So that the event of the largest journal stays below 64 KB, and a page of a hundred objects below
 * the 6 MB that a Lambda may answer.
 */
const METADATA_BYTES_MAX = 16 * KIB;

const MetadataTexts = z
  .record(text(1, 40), text(0, 500), 'must be keys of 1 to 40 characters with texts')
  .refine(
    (it) => Buffer.byteLength(JSON.stringify(it)) <= METADATA_BYTES_MAX,
    'has more than 16 KB, as JSON in UTF-8',
  );

/** What no schema can say. */
export const METADATA_LIMITS = 'At most 50 keys, and 16 KB in all, as JSON in UTF-8.';

/**
 * The caller's own notes on an object: up to 50 keys of 40 characters, values of 500, 16 KB. Keys
 * are counted before one of them is looked at: a body has room for tens of thousands.
 */
export const Metadata = z
  .preprocess((given, context) => {
    if (countKeys(given) <= METADATA_KEYS_MAX) return given;
    context.addIssue({ code: 'custom', message: `has more than ${METADATA_KEYS_MAX} keys` });
    return z.NEVER;
  }, MetadataTexts)
  .meta({ description: METADATA_LIMITS, maxProperties: METADATA_KEYS_MAX });

function countKeys(given: unknown): number {
  return given !== null && typeof given === 'object' ? Object.keys(given).length : 0;
}

/** An event type: lower-case words joined by dots. */
export const EventType = z
  .string()
  .max(100)
  .regex(/^[a-z][a-z0-9_]*(\.[a-z0-9_]+)*$/, 'must be lower-case words joined by dots');

/** The query of every list: how many, and where to go on. */
export const PageQuery = {
  limit: z
    .string()
    .regex(/^([1-9]\d?|100)$/, 'must be 1 to 100')
    .prefault('25')
    .transform(Number),
  cursor: z.string().max(1000).optional(),
};

/** The answer of every list. */
export function pageOf<Schema extends z.ZodType>(item: Schema) {
  return z.object({
    data: z.array(item),
    nextCursor: z.string().optional(),
    hasMore: z.boolean(),
  });
}
