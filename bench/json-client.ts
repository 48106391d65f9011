import { randomUUID } from 'node:crypto';
import { Agent, request } from 'node:http';
import { json } from 'node:stream/consumers';

export type Body = Readonly<Record<string, unknown>>;

/** Calls the API as a client with kept connections would. */
export interface JsonClient {
  /** The body of the answer. Throws unless it is a 2xx. */
  post<Answer = Body>(path: string, body: unknown): Promise<Answer>;
  get<Answer = Body>(path: string): Promise<Answer>;
}

const agent = new Agent({ keepAlive: true });

/** A client with a key; each POST has an Idempotency-Key of its own. */
export function openClient(url: string, key: string): JsonClient {
  function call<Answer>(method: string, path: string, body?: unknown): Promise<Answer> {
    const sent = body === undefined ? '' : JSON.stringify(body);
    const headers = {
      authorization: `Bearer ${key}`,
      'content-length': Buffer.byteLength(sent),
      ...(method === 'POST' && {
        'content-type': 'application/json',
        'idempotency-key': randomUUID(),
      }),
    };
    return new Promise((resolve, reject) => {
      const req = request(url + path, { agent, method, headers }, async (res) => {
        const answer = await json(res).catch(reject);
        const status = res.statusCode ?? 0;
        if (status < 300) resolve(answer as Answer);
        else reject(new Error(`${method} ${path}: ${status} ${JSON.stringify(answer)}`));
      });
      req.on('error', reject).end(sent);
    });
  }
  return {
    post: (path, body) => call('POST', path, body),
    get: (path) => call('GET', path),
  };
}
