import type { APIGatewayProxyEventV2 } from 'aws-lambda';
import * as z from 'zod';
import { Problem } from '../problem.ts';
import { KIB } from '../units.ts';
import { fingerprintOf } from './fingerprint.ts';
import type { Call, Contract, IdempotencyKey } from './route.ts';
import { type JsonBody, parseJson } from './strict-json.ts';
import { validate } from './validate.ts';

const BODY_KB_MAX = 256;
const NO_BODY: JsonBody = {
  value: undefined,
  memberText: () => undefined,
  exactValue: () => undefined,
};

type Decoded = Omit<Call<Contract>, 'tenantId' | 'keyId' | 'allows' | 'dailyEvents' | 'requestId'>;

/**
 * Checks all of a request against its contract. Refuses with `not_found` for a malformed id,
 * `unsupported_media_type`, `payload_too_large`, `malformed_json`, `validation_failed`,
 * `invalid_amount`, and the two faults of an Idempotency-Key.
 */
export function decodeCall(
  contract: Contract,
  event: APIGatewayProxyEventV2,
  { requiresKeys = false }: { readonly requiresKeys?: boolean } = {},
): Decoded {
  const hops = readHops(event);
  const params = decodeParams(contract, event);
  const body = contract.body ? readBody(contract, event) : readOther(contract, event);
  const query = readQuery(contract, event);
  const isRequired = requiresKeys || contract.idempotencyKey === 'required';
  const idempotency = readKey({ ...contract, isRequired }, event, body);
  const decoded = contract.body ? validate(contract.body, body.value) : undefined;
  return {
    params,
    query,
    body: decoded,
    idempotency,
    memberText: body.memberText,
    bytes: () => bytesOf(event),
    exactBody: body.exactValue,
    // Tenants name headers themselves, also `constructor`.
    header: (name) => (Object.hasOwn(event.headers, name) ? event.headers[name] : undefined),
    address: event.requestContext.http.sourceIp,
    method: event.requestContext.http.method,
    path: event.rawPath,
    traceparent: traceparentOf(event),
    hops,
  } as Decoded;
}

function decodeParams({ params }: Contract, event: APIGatewayProxyEventV2): unknown {
  if (!params) return undefined;
  const result = params.safeParse(event.pathParameters ?? {});
  // A malformed id is answered like one that belongs to nobody.
  if (!result.success) throw new Problem('not_found');
  return result.data;
}

const BODY_HEADERS = ['content-length', 'content-encoding', 'transfer-encoding'];

function readBody(contract: Contract, event: APIGatewayProxyEventV2): JsonBody {
  const { headers } = event;
  const bytes = bytesOf(event);
  const type = headers['content-type'];
  // One that says that it has a body was sent with more than has come here.
  const isSaid = BODY_HEADERS.some((it) => !['0', undefined].includes(headers[it]));
  const isBare = type === undefined && bytes.length === 0 && !isSaid;
  if (isBare && contract.mayLackBody) return parseJson(Buffer.from('{}'));
  if (!type || !JSON_TYPE.test(type) || OTHER_CHARSET.test(type)) {
    throw new Problem('unsupported_media_type', {
      detail: 'Send content-type: application/json, in UTF-8.',
    });
  }
  if (headers['content-encoding'] !== undefined) {
    throw new Problem('unsupported_media_type', { detail: 'Send the body without an encoding.' });
  }
  assertFits(bytes, contract);
  return parseJson(bytes, contract);
}

/** API Gateway passes on in base64 what it does not take for text. */
function bytesOf({ body = '', isBase64Encoded }: Sent): Buffer {
  return Buffer.from(body, isBase64Encoded ? 'base64' : 'utf8');
}

function assertFits({ length }: Uint8Array, { bodyKbMax = BODY_KB_MAX }: Contract): void {
  if (length <= bodyKbMax * KIB) return;
  throw new Problem('payload_too_large', { detail: `A body may have ${bodyKbMax} KB at most.` });
}

/** Where a route knows no parameters, any would be obeyed by nobody: `?dryRun=true` moves money. */
const NO_QUERY = z.strictObject({});

function readQuery({ query, access }: Contract, event: APIGatewayProxyEventV2): unknown {
  const given = event.queryStringParameters ?? {};
  if (access !== 'public') assertOnce(event);
  if (query) return validate(query, given, '?');
  // Probes, caches and the senders of others' webhooks add what they like.
  if (access !== 'public') validate(NO_QUERY, given, '?');
  return undefined;
}

/** API Gateway joins what is given twice: `?reference=a&reference=b` would look for `a,b`. */
function assertOnce({ rawQueryString }: APIGatewayProxyEventV2): void {
  const names = new Set<string>();
  for (const [name] of new URLSearchParams(rawQueryString)) {
    if (names.has(name)) {
      const detail = 'is given more than once';
      const errors = [{ pointer: `?${name}`, code: 'invalid', detail }];
      throw new Problem('validation_failed', { detail: `?${name}: ${detail}`, errors });
    }
    names.add(name);
  }
}

const JSON_TYPE = /^application\/json\s*(;|$)/i;

/** JSON has one encoding (RFC 8259): a charset may say so, and nothing else. */
const OTHER_CHARSET = /;\s*charset\s*=\s*(?!"?utf-8"?\s*(;|$))/i;

/**
 * Bytes that are not JSON for us. A body that no route reads is refused rather than passed over; an
 * empty object is none.
 */
function readOther(contract: Contract, event: Sent): JsonBody {
  const { access, takesBytes } = contract;
  const bytes = bytesOf(event);
  if (takesBytes) assertFits(bytes, contract);
  const text = takesBytes ? '' : bytes.toString().trim();
  if (access === 'public' || text === '' || text === '{}') return NO_BODY;
  const detail = 'This request has no body.';
  throw new Problem('validation_failed', {
    detail,
    errors: [{ pointer: '', code: 'invalid', detail }],
  });
}

type Sent = Pick<APIGatewayProxyEventV2, 'body' | 'isBase64Encoded'>;

const KEY_DETAIL = 'An Idempotency-Key is 1 to 255 visible ASCII characters.';

function readKey(
  { idempotencyKey, method, path, isRequired }: Contract & { readonly isRequired: boolean },
  event: APIGatewayProxyEventV2,
  body: JsonBody,
): IdempotencyKey | undefined {
  if (idempotencyKey === undefined) return undefined;
  const given = event.headers['idempotency-key'];
  if (given === undefined) {
    if (!isRequired) return undefined;
    throw new Problem('idempotency_key_required', {
      detail: `Send an Idempotency-Key with this request. ${KEY_DETAIL}`,
    });
  }
  // The structured form of the IETF draft is a quoted string; the bare form is as common.
  const key = /^"(.*)"$/.exec(given)?.[1] ?? given;
  if (!/^[\x21-\x7e]{1,255}$/.test(key)) {
    throw new Problem('idempotency_key_invalid', { detail: KEY_DETAIL });
  }
  return { key, fingerprint: fingerprintOf(method, concrete(path, event), body.exactValue()) };
}

/** The path with its ids, and without what a stage or a domain has before it. */
function concrete(path: string, { pathParameters = {} }: APIGatewayProxyEventV2): string {
  return path.replaceAll(/\{(\w+)\}/g, (_all, name: string) => pathParameters[name] ?? '');
}

/** Webhooks that may lead to one another, so that a message can pass through some systems. */
const HOPS_MAX = 3;

/** Our own header, which whoever forwards a webhook to this API passes on. */
function readHops({ headers }: APIGatewayProxyEventV2): number {
  const given = headers['webhook-hops'];
  const hops = given && /^\d+$/.test(given) ? Number(given) : 0;
  if (hops < HOPS_MAX) return hops;
  throw new Problem('conflict', {
    detail: `${HOPS_MAX} webhooks in a row have led to this request, which looks like a loop.`,
  });
}

/** W3C trace context: neither version ff nor an id of zeros stands for a trace. */
const TRACEPARENT = /^(?!ff)[\da-f]{2}-(?!0+-)[\da-f]{32}-(?!0+-)[\da-f]{16}-[\da-f]{2}$/;

/** Anything else is left out rather than refused. */
function traceparentOf({ headers }: APIGatewayProxyEventV2): string | undefined {
  const given = headers.traceparent;
  return given && TRACEPARENT.test(given) ? given : undefined;
}
