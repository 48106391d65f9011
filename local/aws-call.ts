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

/** An answer as it came. */
export interface AwsAnswer {
  readonly status: number;
  readonly body: string;
}

/**
 * One call of the JSON protocol. Local engines check no signature, so that the AWS SDK and its
 * weight are not needed. Throws `AwsRefusal`, or the network's error. The caller names the answer.
 */
export async function callAws<Answer>(
  options: CallOptions,
  operation: string,
  input: object,
): Promise<Answer> {
  const { status, body } = await sendAws(options, operation, JSON.stringify(input));
  const answer = JSON.parse(body || '{}');
  if (status === 200) return answer;
  const code =
    String(answer.__type ?? status)
      .split('#')
      .at(-1) ?? '';
  throw new AwsRefusal(code, answer.message ?? answer.Message ?? body);
}

/** Like `callAws`, with texts of JSON; a refusal is an answer too. */
export function sendAws(
  { endpoint, service, signal }: CallOptions,
  operation: string,
  body: string,
): Promise<AwsAnswer> {
  const { prefix, type } = TARGETS[service];
  return post(
    endpoint,
    { 'content-type': type, 'x-amz-target': `${prefix}.${operation}`, ...CREDENTIAL },
    { body, signal },
  );
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
): Promise<AwsAnswer> {
  return new Promise((resolve, reject) => {
    const options = { agent, method: 'POST', headers, ...(signal ? { signal } : {}) };
    const call = request(endpoint, options, (answer) => {
      text(answer).then((body) => resolve({ status: answer.statusCode ?? 0, body }), reject);
    });
    call.on('error', reject);
    call.end(body);
  });
}
