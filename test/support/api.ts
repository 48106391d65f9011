import { randomUUID } from 'node:crypto';

/** A JSON body that a test looks into; what is not there is undefined, and the test fails. */
export type Body = { readonly [name: string]: unknown };

/** An answer of the API, with its body decoded. */
export interface ApiAnswer<Shape> {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Shape;
}

/** Calls the API as a tenant, or as the operator, would. */
export interface ApiClient {
  get<Shape = Body>(path: string): Promise<ApiAnswer<Shape>>;
  /** With a fresh Idempotency-Key unless `headers` names one. */
  post<Shape = Body>(
    path: string,
    body?: unknown,
    headers?: Readonly<Record<string, string>>,
  ): Promise<ApiAnswer<Shape>>;
  send(path: string, init: RequestInit): Promise<ApiAnswer<Body>>;
}

/** A client of the API at `url` that calls with `key`. */
export function apiClient(url: string, key: string): ApiClient {
  async function send<Shape>(path: string, init: RequestInit): Promise<ApiAnswer<Shape>> {
    const headers = { authorization: `Bearer ${key}`, ...init.headers };
    const answer = await fetch(url + path, { ...init, headers });
    const text = await answer.text();
    return {
      status: answer.status,
      headers: answer.headers,
      body: JSON.parse(text || 'null') as Shape,
    };
  }
  return {
    send,
    get: (path) => send(path, {}),
    post: (path, body, headers = {}) =>
      send(path, {
        method: 'POST',
        headers: {
          'idempotency-key': randomUUID(),
          ...(body !== undefined && { 'content-type': 'application/json' }),
          ...headers,
        },
        ...(body !== undefined && { body: JSON.stringify(body) }),
      }),
  };
}

export interface TestTenant {
  readonly tenantId: string;
  readonly api: ApiClient;
  readonly key: string;
}

/** Far above what a test can send: what is tested is not the limit. */
const LIMITS = { requestsPerSecond: 5_000, burst: 10_000 };

/** A fresh tenant and a client with its first key. */
export async function newTenantOf(url: string, adminKey: string): Promise<TestTenant> {
  const { status, body } = await apiClient(url, adminKey).post<{
    id: string;
    apiKey: { key: string };
  }>('/v1/tenants', { name: 'Journey', limits: LIMITS });
  if (status !== 201) throw new Error(`no tenant: ${status} ${JSON.stringify(body)}`);
  return { tenantId: body.id, key: body.apiKey.key, api: apiClient(url, body.apiKey.key) };
}

/** An account of the tenant, with money in it if wanted. */
export async function newAccount(api: ApiClient, funds = '0', currency = 'EUR'): Promise<string> {
  const { body } = await api.post<{ id: string }>('/v1/accounts', { currency });
  if (funds !== '0') {
    const credit = { type: 'credit', accountId: body.id, amount: funds, currency };
    const { status } = await api.post('/v1/transactions', credit);
    if (status !== 201) throw new Error(`no credit: ${status}`);
  }
  return body.id;
}
