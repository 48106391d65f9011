import { randomUUID } from 'node:crypto';
import { Refusal } from './command.ts';

/** A JSON answer, which is shown and not trusted. */
export interface Answer {
  readonly status: number;
  readonly body: { readonly [name: string]: unknown };
}

/** Calls the API with one key. */
export interface ApiCaller {
  /** Whatever the status; refuses when nobody answers. */
  ask(method: string, path: string, body?: object): Promise<Answer>;
  /** The body of a 2xx; refuses with what the problem says. */
  call<Body>(method: string, path: string, body?: object): Promise<Body>;
  readonly url: string;
}

/** A caller of the API at this address; a key that changes is asked for before each call. */
export function apiCaller(url: string, given?: string | (() => Promise<string>)): ApiCaller {
  async function ask(method: string, path: string, body?: object): Promise<Answer> {
    const key = typeof given === 'function' ? await given() : given;
    const headers = {
      ...(key !== undefined && { authorization: `Bearer ${key}` }),
      ...(method === 'POST' && { 'idempotency-key': randomUUID() }),
      ...(body && { 'content-type': 'application/json' }),
    };
    const init = { method, headers, ...(body && { body: JSON.stringify(body) }) };
    const reply = await fetch(url + path, init).catch((error: unknown) => {
      throw new Refusal(`${url} does not answer (${reasonOf(error)}); --api says where it is`);
    });
    const text = await reply.text();
    return { status: reply.status, body: parse(text) };
  }
  return {
    url,
    ask,
    call: async <Body>(method: string, path: string, body?: object) => {
      const answer = await ask(method, path, body);
      if (answer.status < 300) return answer.body as Body;
      const { code = answer.status, detail = 'no reason was given' } = answer.body;
      throw new Refusal(`${method} ${path}: ${code}: ${detail}`);
    },
  };
}

function parse(text: string): Answer['body'] {
  try {
    return Object(JSON.parse(text)) as Answer['body'];
  } catch {
    return {};
  }
}

function reasonOf(error: unknown): string {
  const { cause } = Object(error) as { cause?: { code?: string } };
  return cause?.code ?? (error instanceof Error ? error.message : String(error));
}
