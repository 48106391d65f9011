import { isUtf8 } from 'node:buffer';
import { randomUUID } from 'node:crypto';

/** What API Gateway knows of a request before it calls a function. */
export interface GatewayRequest {
  readonly method: string;
  /** Path and query as they were sent. */
  readonly url: string;
  /** Lower-case names; repeated headers are joined by commas. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
  readonly sourceIp: string;
  readonly routeKey: string;
  readonly parameters: Readonly<Record<string, string>>;
  readonly nowMs: number;
}

/** Bodies of these types reach the function as text, all others in base64. */
const TEXT_TYPES = /^(text\/.*|application\/(json|xml|javascript))$/;

/** Whether a body of this content type is passed as text. One without a type is not. */
export function isTextType(contentType: string | undefined): boolean {
  return TEXT_TYPES.test((contentType ?? '').split(';')[0]?.trim().toLowerCase() ?? '');
}

/**
 * An event in payload format 2.0. A body of a text type that is not UTF-8 is passed in base64 here,
 * so that the function sees its bytes and can refuse them; as text they would be replaced silently.
 */
export function eventOf(request: GatewayRequest): object {
  const [rawPath = '', rawQueryString = ''] = splitOnce(request.url, '?');
  const { cookie, ...headers } = request.headers;
  const query = queryOf(rawQueryString);
  const isText = isTextType(headers['content-type']) && isUtf8(request.body);
  return {
    version: '2.0',
    routeKey: request.routeKey,
    rawPath,
    rawQueryString,
    ...(cookie === undefined ? {} : { cookies: cookie.split(/; */) }),
    headers,
    ...(query === undefined ? {} : { queryStringParameters: query }),
    ...(Object.keys(request.parameters).length === 0 ? {} : { pathParameters: request.parameters }),
    requestContext: contextOf(request, rawPath),
    ...(request.body.length === 0
      ? {}
      : { body: request.body.toString(isText ? 'utf8' : 'base64') }),
    isBase64Encoded: request.body.length > 0 && !isText,
  };
}

function contextOf(request: GatewayRequest, path: string): object {
  return {
    accountId: '000000000000',
    apiId: 'local',
    domainName: request.headers.host ?? '',
    domainPrefix: 'local',
    http: {
      method: request.method,
      path,
      protocol: 'HTTP/1.1',
      sourceIp: request.sourceIp,
      userAgent: request.headers['user-agent'] ?? '',
    },
    requestId: randomUUID(),
    routeKey: request.routeKey,
    stage: '$default',
    time: new Date(request.nowMs).toUTCString(),
    timeEpoch: request.nowMs,
  };
}

/** Repeated parameters are joined by commas. `__proto__` is a name like any other. */
function queryOf(rawQueryString: string): Record<string, string> | undefined {
  if (rawQueryString === '') return undefined;
  const query: Record<string, string> = Object.create(null);
  for (const [name, value] of new URLSearchParams(rawQueryString)) {
    query[name] = Object.hasOwn(query, name) ? `${query[name]},${value}` : value;
  }
  return query;
}

function splitOnce(text: string, separator: string): [string, string] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)];
}

/** Raw headers, name after value, as HTTP APIs pass them on; `__proto__` is a name too. */
export function flatHeaders(rawHeaders: readonly string[]): Record<string, string> {
  const flat: Record<string, string> = Object.create(null);
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]?.toLowerCase() ?? '';
    const value = rawHeaders[i + 1] ?? '';
    const separator = name === 'cookie' ? '; ' : ',';
    flat[name] = Object.hasOwn(flat, name) ? `${flat[name]}${separator}${value}` : value;
  }
  return flat;
}

export interface GatewayAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[]>>;
  readonly body: Buffer;
}

/**
 * The answer that a function's result stands for: `{ statusCode, headers, cookies, body,
 * isBase64Encoded }`, or anything else as the JSON of a 200. A malformed one is a 500.
 */
export function answerOf(result: unknown): GatewayAnswer {
  if (typeof result !== 'object' || result === null || !('statusCode' in result)) {
    return jsonAnswer(200, result);
  }
  const { statusCode, headers = {}, cookies, body = '', isBase64Encoded } = result as LambdaAnswer;
  const status = Number(statusCode);
  if (!(status >= 100 && status <= 599) || typeof body !== 'string') return SERVER_ERROR;
  return {
    status,
    headers: {
      'content-type': 'text/plain;charset=utf-8',
      ...Object.fromEntries(
        Object.entries(headers).map(([name, value]) => [name.toLowerCase(), String(value)]),
      ),
      ...(cookies ? { 'set-cookie': [...cookies] } : {}),
    },
    body: Buffer.from(body, isBase64Encoded ? 'base64' : 'utf8'),
  };
}

interface LambdaAnswer {
  readonly statusCode: unknown;
  readonly headers?: Readonly<Record<string, unknown>>;
  readonly cookies?: readonly string[];
  readonly body?: unknown;
  readonly isBase64Encoded?: boolean;
}

function jsonAnswer(status: number, value: unknown): GatewayAnswer {
  const headers = { 'content-type': 'application/json' };
  return { status, headers, body: Buffer.from(JSON.stringify(value)) };
}

/** API Gateway's own answers, which are not problem documents. */
export const SERVER_ERROR = jsonAnswer(500, { message: 'Internal Server Error' });
export const TOO_LARGE = jsonAnswer(413, { message: 'Request Entity Too Large' });
export const TOO_LATE = jsonAnswer(503, { message: 'Service Unavailable' });
export const NO_ROUTE = jsonAnswer(404, { message: 'Not Found' });
