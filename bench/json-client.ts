import { randomUUID } from 'node:crypto';
import { Agent, request } from 'node:http';
import { json } from 'node:stream/consumers';

export type Body = Readonly<Record<string, unknown>>;

/** An answer that is no 2xx. */
export class Refused extends Error {
  readonly status: number;
  readonly retryAfterMs: number;

  constructor(what: string, status: number, retryAfterMs: number) {
    super(what);
    this.status = status;
    this.retryAfterMs = retryAfterMs;
  }
}

/** Calls the API as a client with kept connections would. */
export interface JsonClient {
  /** The body of the answer. Throws `Refused` unless it is a 2xx. A key of its own by default. */
  post<Answer = Body>(path: string, body: unknown, idempotencyKey?: string): Promise<Answer>;
  get<Answer = Body>(path: string): Promise<Answer>;
}

/** Idle connections end here well before the server ends them: no request meets such an end. */
const agent = new Agent({ keepAlive: true, timeout: 2_000 });

/** A client with a key of the API. */
export function openClient(url: string, apiKey: string): JsonClient {
  function call<Answer>(method: string, path: string, body?: unknown, key?: string) {
    const sent = body === undefined ? '' : JSON.stringify(body);
    const headers = {
      authorization: `Bearer ${apiKey}`,
      'content-length': Buffer.byteLength(sent),
      ...(method === 'POST' && {
        'content-type': 'application/json',
        'idempotency-key': key ?? randomUUID(),
      }),
    };
    return new Promise<Answer>((resolve, reject) => {
      const req = request(url + path, { agent, method, headers }, async (res) => {
        const answer = await json(res).catch(reject);
        const status = res.statusCode ?? 0;
        if (status < 300) return resolve(answer as Answer);
        const waitMs = 1_000 * Number(res.headers['retry-after'] ?? 0);
        reject(
          new Refused(`${method} ${path}: ${status} ${JSON.stringify(answer)}`, status, waitMs),
        );
      });
      req.on('error', reject).end(sent);
    });
  }
  return {
    post: (path, body, key) => call('POST', path, body, key),
    get: (path) => call('GET', path),
  };
}
