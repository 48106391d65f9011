import type { APIGatewayProxyEventV2 } from 'aws-lambda';
import { Problem } from '../problem.ts';
import { KIB } from '../units.ts';
import { fingerprintOf } from './fingerprint.ts';
import type { Call, Contract, IdempotencyKey } from './route.ts';
import { type JsonBody, parseJson } from './strict-json.ts';
import { validate } from './validate.ts';

const BODY_BYTES_MAX = 256 * KIB;
const NO_BODY: JsonBody = {
  value: undefined,
  memberText: () => undefined,
  exactValue: () => undefined,
};

type Decoded = Omit<Call<Contract>, 'tenantId' | 'requestId'>;

/**
 * Checks all of a request against its contract. Refuses with `not_found` for a malformed id,
 * `unsupported_media_type`, `payload_too_large`, `malformed_json`, `validation_failed`,
 * `invalid_amount`, and the two faults of an Idempotency-Key.
 */
export function decodeCall(contract: Contract, event: APIGatewayProxyEventV2): Decoded {
  const params = decodeParams(contract, event);
  const body = contract.body ? readBody(contract, event) : NO_BODY;
  const query = contract.query
    ? validate(contract.query, event.queryStringParameters ?? {}, '?')
    : undefined;
  const idempotency = readKey(contract, event, body);
  const decoded = contract.body ? validate(contract.body, body.value) : undefined;
  return {
    params,
    query,
    body: decoded,
    idempotency,
    memberText: body.memberText,
    header: (name) => event.headers[name],
    method: event.requestContext.http.method,
    path: event.rawPath,
    traceparent: traceparentOf(event),
  } as Decoded;
}

function decodeParams({ params }: Contract, event: APIGatewayProxyEventV2): unknown {
  if (!params) return undefined;
  const result = params.safeParse(event.pathParameters ?? {});
  // A malformed id is answered like one that belongs to nobody.
  if (!result.success) throw new Problem('not_found');
  return result.data;
}

function readBody({ movesMoney }: Contract, event: APIGatewayProxyEventV2): JsonBody {
  const { headers, body, isBase64Encoded } = event;
  if (!/^application\/json\s*(;|$)/i.test(headers['content-type'] ?? '')) {
    throw new Problem('unsupported_media_type', { detail: 'Send content-type: application/json.' });
  }
  if (headers['content-encoding'] !== undefined) {
    throw new Problem('unsupported_media_type', { detail: 'Send the body without an encoding.' });
  }
  const bytes = Buffer.from(body ?? '', isBase64Encoded ? 'base64' : 'utf8');
  if (bytes.length > BODY_BYTES_MAX) {
    throw new Problem('payload_too_large', { detail: 'A body may have 256 KB at most.' });
  }
  return parseJson(bytes, { movesMoney });
}

const KEY_DETAIL = 'An Idempotency-Key is 1 to 255 visible ASCII characters.';

function readKey(
  { idempotencyKey, method }: Contract,
  event: APIGatewayProxyEventV2,
  body: JsonBody,
): IdempotencyKey | undefined {
  if (idempotencyKey === undefined) return undefined;
  const given = event.headers['idempotency-key'];
  if (given === undefined) {
    if (idempotencyKey === 'accepted') return undefined;
    throw new Problem('idempotency_key_required', {
      detail: `Send an Idempotency-Key with this request. ${KEY_DETAIL}`,
    });
  }
  // The structured form of the IETF draft is a quoted string; the bare form is as common.
  const key = /^"(.*)"$/.exec(given)?.[1] ?? given;
  if (!/^[\x21-\x7e]{1,255}$/.test(key)) {
    throw new Problem('idempotency_key_invalid', { detail: KEY_DETAIL });
  }
  return { key, fingerprint: fingerprintOf(method, event.rawPath, body.exactValue()) };
}

/** W3C trace context; anything else is left out rather than refused. */
function traceparentOf({ headers }: APIGatewayProxyEventV2): string | undefined {
  const given = headers.traceparent;
  return given && /^[\da-f]{2}-[\da-f]{32}-[\da-f]{16}-[\da-f]{2}$/.test(given) ? given : undefined;
}
