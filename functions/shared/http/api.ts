import middy from '@middy/core';
import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2 } from 'aws-lambda';
import { Problem, type ProblemCode } from '../problem.ts';
import { SECOND_MS } from '../units.ts';
import type { World } from '../world.ts';
import { decodeCall } from './decode-call.ts';
import { problemAnswer } from './problem-answer.ts';
import type { Access, Answer, Call, Contract, Route, Scope } from './route.ts';
import { safePath } from './safe-path.ts';
import { notingEvents } from './told-events.ts';

/** Who calls: a tenant by one of its keys, or the operator by the admin key. */
export interface Caller {
  readonly tenantId?: string;
  readonly keyId?: string;
  /** Whether its key has this scope; absent: it has none. */
  readonly allows?: (scope: Scope) => boolean;
  /** Whether its tenant wants an Idempotency-Key wherever one is accepted. */
  readonly requiresKeys?: boolean;
  /** How many events its tenant may send a day; undefined: as many as it likes. */
  readonly dailyEvents?: number | undefined;
  /** They are on every answer to this caller: what is left of its rate limit. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Why the caller gets nothing else: `unauthorized`, `forbidden_scope` or `rate_limited`. */
  readonly refusal?: Problem | undefined;
}

/** What a request shows of who sends it. */
export interface Arrival {
  readonly authorization: string | undefined;
  /** The client's, as API Gateway takes it from the connection. */
  readonly address: string;
}

/** Says who calls, and whether this one may. */
export type Authenticate<Needs> = (
  arrival: Arrival,
  access: Exclude<Access, 'public'>,
  world: Needs,
) => Promise<Caller>;

type Result = APIGatewayProxyStructuredResultV2;
type Shell = Pick<World, 'clock' | 'ids' | 'log' | 'metrics' | 'meters'>;

/** What the log line of a request tells beside the request itself. */
interface Trace {
  readonly requestId: string;
  readonly path: string;
  /** The events that it has committed. */
  events?: readonly string[];
  traceparent?: string | undefined;
  caller?: Caller;
  replayed?: boolean;
  problem?: string;
}

/**
 * The Lambda of one room. API Gateway has matched the path already, because every contract is
 * mounted there under the same key; `$default` goes to the one route that names it.
 */
export function api<Needs extends Shell>(
  world: Needs,
  routes: readonly Route<NoInfer<Needs>>[],
  authenticate: Authenticate<NoInfer<Needs>>,
) {
  const byKey = new Map(routes.map((it) => [keyOf(it.contract), it]));

  async function answer(event: APIGatewayProxyEventV2, trace: Trace): Promise<Result> {
    const route = byKey.get(event.routeKey);
    if (!route) throw new Error(`no route for ${event.routeKey}: lib and functions disagree`);

    const { contract } = route;
    if (contract.access !== 'public') {
      trace.caller = await authenticate(arrivalOf(event), contract.access, world);
      if (trace.caller.refusal) throw trace.caller.refusal;
    }
    const call: Call<Contract> = {
      ...decodeCall(contract, event, trace.caller),
      tenantId: trace.caller?.tenantId,
      keyId: trace.caller?.keyId,
      allows: (scope) => trace.caller?.allows?.(scope) ?? false,
      dailyEvents: trace.caller?.dailyEvents,
      requestId: trace.requestId,
    };
    trace.traceparent = call.traceparent;
    const reply = await route.answer(call, notingEvents(world, trace));
    trace.replayed = reply.replayed ?? false;
    return success(contract, reply);
  }

  return middy<APIGatewayProxyEventV2, Result>().handler(async (event) => {
    const startMs = world.clock.nowMs();
    const trace: Trace = { requestId: requestIdOf(event, world), path: safePath(event.rawPath) };
    let result: Result;
    try {
      result = await answer(event, trace);
    } catch (error) {
      result = refusal(error, trace, world);
    }
    const ms = world.clock.nowMs() - startMs;
    logRequest(event, { ...trace, ms, status: result.statusCode }, world);
    const { headers } = trace.caller ?? {};
    result.headers = { ...result.headers, ...headers, 'x-request-id': trace.requestId };
    return result;
  });
}

function keyOf({ method, path }: Contract): string {
  return path === '$default' ? path : `${method} ${path}`;
}

function arrivalOf({ headers, requestContext }: APIGatewayProxyEventV2): Arrival {
  return { authorization: headers.authorization, address: requestContext.http.sourceIp };
}

function requestIdOf({ headers }: APIGatewayProxyEventV2, { ids }: Shell): string {
  const given = headers['x-request-id'];
  return given !== undefined && /^[\w-]{1,64}$/.test(given) ? given : ids.next('req');
}

function success({ reply }: Contract, answer: Answer<unknown>): Result {
  const { contentType = 'application/json' } = reply;
  const body = reply.schema.parse(answer.body);
  return {
    statusCode: answer.status ?? reply.status,
    headers: {
      'content-type': contentType,
      'cache-control': 'no-store',
      ...(answer.replayed && { 'idempotent-replayed': 'true' }),
      ...answer.headers,
    },
    ...(reply.contentType ? asItIs(body) : { body: JSON.stringify(body) }),
  };
}

function asItIs(body: unknown): Pick<Result, 'body' | 'isBase64Encoded'> {
  if (typeof body === 'string') return { body };
  if (!(body instanceof Uint8Array)) throw new Error('a body that is not JSON is text or bytes');
  return { body: Buffer.from(body).toString('base64'), isBase64Encoded: true };
}

/** Refusals that are nobody's fault but ours. Somebody is woken up when they last. */
const FAULTS: ReadonlySet<string> = new Set<ProblemCode>(['internal', 'unavailable']);

function refusal(error: unknown, trace: Trace, { log, metrics, meters }: Shell): Result {
  if (!(error instanceof Problem)) log.error('api.bug', { requestId: trace.requestId, error });
  const problem = error instanceof Problem ? error : new Problem('internal');
  trace.problem = problem.code;
  meters.count('tallyhook_refusals_total', { code: problem.code });
  if (FAULTS.has(problem.code)) metrics.count('ApiFaults');
  return problemAnswer(problem, trace);
}

function logRequest(
  event: APIGatewayProxyEventV2,
  { caller, ...facts }: Trace & { ms: number; status: number | undefined },
  { log, meters }: Shell,
): void {
  const { method } = event.requestContext.http;
  const { tenantId, keyId } = caller ?? {};
  const { routeKey: route } = event;
  log.info('http.request', { method, route, ...facts, tenantId, keyId });
  meters.count('tallyhook_http_requests_total', { route, status: String(facts.status) });
  meters.observe('tallyhook_http_request_duration_seconds', facts.ms / SECOND_MS);
}
