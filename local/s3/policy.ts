import { createHmac, timingSafeEqual } from 'node:crypto';
import { S3Refusal } from './refusal.ts';
import { OBJECT_BYTES_MAX, type SizeRange } from './store.ts';

/** The keys that functions sign with here. They protect nothing and are no secret. */
export const LOCAL_KEYS = { accessKeyId: 'local', secretAccessKey: 'local' } as const;

/** Fields that a policy need not speak of. */
const FREE_FIELDS = ['policy', 'x-amz-signature', 'file'];

/**
 * Checks an upload form as S3 does: who signed it, that it has not expired, and that each field
 * has a condition that allows it. Answers the sizes that the policy takes. `fields` must have
 * `bucket` and the final `key`.
 */
export function checkPolicy(fields: ReadonlyMap<string, string>, nowMs: number): SizeRange {
  const encoded = fields.get('policy');
  if (!encoded) throw denied('Bucket POST must contain a policy');
  const signature = fields.get('x-amz-signature');
  if (!signature) {
    const message = "Bucket POST must contain a field named 'X-Amz-Signature'.";
    throw new S3Refusal(400, 'InvalidArgument', message);
  }
  checkSignature(fields, { policy: encoded, signature });
  const { expiration, conditions } = parsePolicy(encoded);
  if (!(Date.parse(expiration) > nowMs))
    throw denied('Invalid according to Policy: Policy expired.');

  let sizes: SizeRange = { min: 0, max: OBJECT_BYTES_MAX };
  const spokenOf = new Set(FREE_FIELDS);
  for (const condition of conditions.flatMap(normalised)) {
    const [kind, name, value] = condition;
    if (kind === 'content-length-range') {
      sizes = { min: Number(name), max: Math.min(Number(value), OBJECT_BYTES_MAX) };
      continue;
    }
    const field = name.replace(/^\$/, '').toLowerCase();
    spokenOf.add(field);
    if (!allows(kind, value, fields.get(field) ?? '')) {
      const shown = JSON.stringify(condition);
      throw denied(`Invalid according to Policy: Policy Condition failed: ${shown}`);
    }
  }
  const extra = [...fields.keys()].find(
    (field) => !spokenOf.has(field) && !field.startsWith('x-ignore-') && field !== 'bucket',
  );
  if (extra) throw denied(`Invalid according to Policy: Extra input fields: ${extra}`);
  return sizes;
}

type Condition = readonly [kind: string, name: string, value: string];

interface Policy {
  readonly expiration: string;
  readonly conditions: readonly (Condition | Readonly<Record<string, string>>)[];
}

function parsePolicy(encoded: string): Policy {
  try {
    const { expiration, conditions } = JSON.parse(Buffer.from(encoded, 'base64').toString('utf8'));
    if (typeof expiration === 'string' && Array.isArray(conditions)) {
      return { expiration, conditions };
    }
  } catch {
    // Falls through to the refusal.
  }
  throw new S3Refusal(400, 'InvalidPolicyDocument', 'Invalid Policy: Invalid JSON.');
}

/** `{ name: value }` means the same as `["eq", "$name", value]`. */
function normalised(condition: Policy['conditions'][number]): Condition[] {
  if (Array.isArray(condition)) return [condition as unknown as Condition];
  return Object.entries(condition).map(([name, value]) => ['eq', `$${name}`, value]);
}

function allows(kind: string, wanted: string, value: string): boolean {
  if (kind === 'eq') return value === wanted;
  if (kind === 'starts-with') return value.startsWith(wanted);
  return false;
}

/** Signature version 4 over the policy's text. */
function checkSignature(
  fields: ReadonlyMap<string, string>,
  { policy, signature }: { readonly policy: string; readonly signature: string },
): void {
  const [accessKeyId, day = '', region = '', service = ''] = (
    fields.get('x-amz-credential') ?? ''
  ).split('/');
  if (accessKeyId !== LOCAL_KEYS.accessKeyId) {
    throw new S3Refusal(403, 'InvalidAccessKeyId', 'The access key is not that of this cloud');
  }
  const key = [day, region, service, 'aws4_request'].reduce<string | Buffer>(
    (secret, part) => createHmac('sha256', secret).update(part).digest(),
    `AWS4${LOCAL_KEYS.secretAccessKey}`,
  );
  const expected = createHmac('sha256', key).update(policy).digest();
  const given = Buffer.from(signature, 'hex');
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) {
    throw new S3Refusal(403, 'SignatureDoesNotMatch', 'The signature does not fit the policy');
  }
}

const denied = (message: string) => new S3Refusal(403, 'AccessDenied', message);
