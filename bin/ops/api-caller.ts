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

/** The API has answered, and has not done it. */
export class Refused extends Refusal {
  readonly status: number;
  constructor(line: string, status: number) {
    super(line);
    this.status = status;
  }
}

/** API Gateway answers within 30 seconds, whatever a function does. */
const ANSWER_MS_MAX = 35_000;

/** A caller of the API at this address; a key that changes is asked for before each call. */
export function apiCaller(url: string, given?: string | (() => Promise<string>)): ApiCaller {
  async function ask(method: string, path: string, body?: object): Promise<Answer> {
    const key = typeof given === 'function' ? await given() : given;
    const headers = {
      ...(key !== undefined && { authorization: `Bearer ${key}` }),
      ...(method === 'POST' && { 'idempotency-key': randomUUID() }),
      ...(body && { 'content-type': 'application/json' }),
    };
    const signal = AbortSignal.timeout(ANSWER_MS_MAX);
    const init = { method, headers, signal, ...(body && { body: JSON.stringify(body) }) };
    const reply = await answerOf(url, path, init);
    const found = parse(reply.text);
    if (reply.status < 300 && !found) {
      throw new Refusal(`${url} does not answer as Tallyhook does; --api says where it is`);
    }
    return { status: reply.status, body: found ?? {} };
  }
  return {
    url,
    ask,
    call: async <Body>(method: string, path: string, body?: object) => {
      const answer = await ask(method, path, body);
      if (answer.status < 300) return answer.body as Body;
      const { code = answer.status, detail = 'no reason was given' } = answer.body;
      throw new Refused(`${method} ${path}: ${code}: ${detail}`, answer.status);
    },
  };
}

async function answerOf(url: string, path: string, init: RequestInit) {
  try {
    const reply = await fetch(url + path, init);
    return { status: reply.status, text: await reply.text() };
  } catch (error) {
    throw new Refusal(`${url} does not answer (${causeOf(error)}); --api says where it is`);
  }
}

/** Undefined for what is no JSON: something else answers at that address. */
function parse(text: string): Answer['body'] | undefined {
  try {
    return Object(JSON.parse(text)) as Answer['body'];
  } catch {
    return undefined;
  }
}

/** Why `fetch` had no answer. */
function causeOf(error: unknown): string {
  const { cause } = Object(error) as { cause?: { code?: string; message?: string } };
  // Of more addresses than one, the cause is all their faults, and has no message of its own.
  return cause?.code || cause?.message || (error instanceof Error ? error.message : String(error));
}
