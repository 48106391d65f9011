import { Agent, request } from 'node:http';
import { text } from 'node:stream/consumers';

const agent = new Agent({ keepAlive: true });

/** Operations that the local cloud itself needs, by the header that names them. */
const TARGETS = {
  dynamodb: { prefix: 'DynamoDB_20120810', type: 'application/x-amz-json-1.0' },
  streams: { prefix: 'DynamoDBStreams_20120810', type: 'application/x-amz-json-1.0' },
  sqs: { prefix: 'AmazonSQS', type: 'application/x-amz-json-1.0' },
} as const;

export type Service = keyof typeof TARGETS;

/**
 * A refusal by the service: `code` is its name without namespace, e.g. `ResourceInUseException`.
 */
export class AwsRefusal extends Error {
  override readonly name = 'AwsRefusal';
  readonly code: string;

  constructor(code: string, message: string) {
    super(`${code}: ${message}`);
    this.code = code;
  }
}

export interface CallOptions {
  readonly endpoint: string;
  readonly service: Service;
  readonly signal?: AbortSignal;
}

/**
 * One call of the JSON protocol. Local engines check no signature, so that the AWS SDK and its
 * weight are not needed. Throws `AwsRefusal`, or the network's error. The caller names the answer.
 */
export async function callAws<Answer>(
  { endpoint, service, signal }: CallOptions,
  operation: string,
  input: object,
): Promise<Answer> {
  const { prefix, type } = TARGETS[service];
  const { status, body } = await post(
    endpoint,
    { 'content-type': type, 'x-amz-target': `${prefix}.${operation}`, ...CREDENTIAL },
    { body: JSON.stringify(input), signal },
  );
  const answer = JSON.parse(body || '{}');
  if (status === 200) return answer;
  const code =
    String(answer.__type ?? status)
      .split('#')
      .at(-1) ?? '';
  throw new AwsRefusal(code, answer.message ?? answer.Message ?? body);
}

/** Engines ask for the form of a signature, and read the access key and region from it. */
const CREDENTIAL = {
  'x-amz-date': '20200101T000000Z',
  authorization:
    'AWS4-HMAC-SHA256 Credential=local/20200101/us-east-1/dynamodb/aws4_request, ' +
    'SignedHeaders=host, Signature=0',
};

function post(
  endpoint: string,
  headers: Record<string, string>,
  { body, signal }: { body: string; signal: AbortSignal | undefined },
): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const options = { agent, method: 'POST', headers, ...(signal ? { signal } : {}) };
    const call = request(endpoint, options, (answer) => {
      text(answer).then((body) => resolve({ status: answer.statusCode ?? 0, body }), reject);
    });
    call.on('error', reject);
    call.end(body);
  });
}
