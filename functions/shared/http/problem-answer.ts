import type { APIGatewayProxyStructuredResultV2 } from 'aws-lambda';
import { isRetryable, PROBLEMS, type Problem } from '../problem.ts';

/** RFC 9457. `instance` is the path that was called. */
export function problemAnswer(
  { code, facts }: Problem,
  request: { readonly requestId: string; readonly path: string },
): APIGatewayProxyStructuredResultV2 {
  const { status, title } = PROBLEMS[code];
  const body = {
    type: `https://tallyhook.dev/problems#${code}`,
    title,
    status,
    detail: facts.detail ?? `${title}.`,
    instance: request.path,
    code,
    requestId: request.requestId,
    retryable: isRetryable(code),
    errors: facts.errors,
  };
  return {
    statusCode: status,
    headers: { 'content-type': 'application/problem+json', ...headersOf(code, facts) },
    body: JSON.stringify(body),
  };
}

/** Where nobody knows better: who is in the way has done its work by then. */
const BUSY_SECONDS = 1;

function headersOf(code: Problem['code'], facts: Problem['facts']): Record<string, string> {
  const headers: Record<string, string> = {};
  if (code === 'unauthorized') headers['www-authenticate'] = 'Bearer realm="tallyhook"';
  if (facts.replayed) headers['idempotent-replayed'] = 'true';
  if (facts.allow) headers.allow = facts.allow.join(', ');
  const retryAfterSeconds = facts.retryAfterSeconds ?? (code === 'busy' ? BUSY_SECONDS : undefined);
  if (retryAfterSeconds !== undefined) headers['retry-after'] = String(retryAfterSeconds);
  return headers;
}
