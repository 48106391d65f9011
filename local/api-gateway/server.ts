import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { InvokeResult } from '../lambda/instance.ts';
import {
  answerOf,
  eventOf,
  flatHeaders,
  type GatewayAnswer,
  NO_ROUTE,
  SERVER_ERROR,
  TOO_LARGE,
  TOO_LATE,
} from './payload.ts';
import type { RouteTable } from './routes.ts';

/** Quota of HTTP APIs that cannot be raised. */
const BODY_BYTES_MAX = 10 * 1_024 * 1_024;
/**
 * There it is 30 seconds, and functions end before. Here they may wait as long for their start,
 * where the machine is busy.
 */
const ANSWER_MS_MAX = 120_000;

export type Invoke = (event: unknown) => Promise<InvokeResult>;

/** Answers requests as an HTTP API with payload format 2.0 does. */
export function apiGateway(
  routes: RouteTable<Invoke>,
  answerMsMax = ANSWER_MS_MAX,
): RequestListener {
  return async (request, response) => {
    try {
      send(response, await answer(request, routes, answerMsMax));
    } catch {
      // The client has gone in the middle of its request: there is nobody left to answer.
      response.destroy();
    }
  };
}

async function answer(
  request: IncomingMessage,
  routes: RouteTable<Invoke>,
  answerMsMax: number,
): Promise<GatewayAnswer> {
  const { method = 'GET', url = '/' } = request;
  const body = await readBody(request);
  if (!body) return TOO_LARGE;
  const match = routes.match(method, url.split('?')[0] ?? '/');
  if (!match) return NO_ROUTE;
  const { routeKey, parameters, target } = match;
  const event = eventOf({
    method,
    url,
    headers: flatHeaders(request.rawHeaders),
    body,
    sourceIp: request.socket.remoteAddress ?? '',
    routeKey,
    parameters,
    nowMs: Date.now(),
  });
  const result = await within(answerMsMax, target(event));
  if (!result) return TOO_LATE;
  return result.ok ? answerOf(result.result) : SERVER_ERROR;
}

/** Undefined when the body is too large. The rest of it is read and thrown away. */
async function readBody(request: IncomingMessage): Promise<Buffer | undefined> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes <= BODY_BYTES_MAX) chunks.push(chunk);
  }
  return bytes <= BODY_BYTES_MAX ? Buffer.concat(chunks) : undefined;
}

/** The result, or undefined when it takes longer. */
async function within<Result>(ms: number, work: Promise<Result>): Promise<Result | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), ms);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

function send(response: ServerResponse, { status, headers, body }: GatewayAnswer): void {
  response.writeHead(status, { ...headers, 'content-length': body.length });
  response.end(body);
}
