import type { ProblemCode } from '../../../functions/shared/problem.ts';
import type { Example, Examples } from '../../docs/openapi/examples.ts';
import { headersOf } from '../../docs/openapi/operation-object.ts';
import { refusalsOf } from '../../docs/openapi/refusals.ts';
import { type Operation, readRooms, statusesOf } from '../../docs/openapi/route-table.ts';
import type { SharedCloud } from '../cloud-setup.ts';
import { until } from '../until.ts';

type Json = Example['answer'];

/** What a step sends beside what its contract says. */
export interface Step {
  /** `{ id }` of `/v1/accounts/{id}`. */
  readonly params?: Readonly<Record<string, string>>;
  readonly query?: Readonly<Record<string, string>>;
  readonly body?: Json;
  /** Text instead of a body that can be written as JSON. */
  readonly text?: string;
  /** Instead of the usual ones; an empty one is left out. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly key?: 'admin' | 'tenant';
  /** Asks again until the answer is so. */
  readonly until?: (answer: Body) => boolean;
  /** How long, where it may never be so. */
  readonly patienceMs?: number;
}

/** An answer whose members a walk reads by name; the contract has checked what they are. */
export interface Body {
  readonly [name: string]: Body | undefined;
}

/** What names an object in a path. */
export const idOf = (object: Body | undefined) => ({ id: String(object?.id) });

/** A walk through the API that keeps what was asked and answered, once for each operation. */
export class Walk {
  readonly examples: Examples = { operations: {}, refusals: {}, webhooks: {} };
  readonly #cloud: SharedCloud;
  readonly #operations: ReadonlyMap<string, Operation>;
  #tenantKey = '';
  #requests = 0;

  static async begin(cloud: SharedCloud): Promise<Walk> {
    const { operations } = await readRooms();
    return new Walk(cloud, new Map(operations.map((it) => [it.id, it])));
  }

  private constructor(cloud: SharedCloud, operations: ReadonlyMap<string, Operation>) {
    this.#cloud = cloud;
    this.#operations = operations;
  }

  /** The routes of tenants are called with this key from now on. */
  use(tenantKey: string): void {
    this.#tenantKey = tenantKey;
  }

  /** One step, with a status and the headers of its contract: an example, if it is the first. */
  async call(id: string, step: Step = {}): Promise<Body> {
    const { request, status, answer } = await this.#succeed(id, step);
    const { body } = step;
    this.examples.operations[id] ??= {
      request,
      ...(body !== undefined && { body }),
      status,
      answer,
    };
    return answer as unknown as Body;
  }

  /** A step that is no example, but others need it. */
  async setUp(id: string, step: Step = {}): Promise<Body> {
    return (await this.#succeed(id, step)).answer as unknown as Body;
  }

  async #succeed(id: string, step: Step) {
    const operation = this.#operationOf(id);
    const wanted = statusesOf(operation.contract);
    const answered = await until(
      () => this.#send(operation, step),
      (it) => !wanted.includes(it.status) || (step.until?.(it.answer as unknown as Body) ?? true),
      step.patienceMs,
    );
    const { request, status, answer } = answered;
    if (!wanted.includes(status))
      throw new Error(`${request}: ${status} ${JSON.stringify(answer)}`);
    const missing = headersOf(operation.contract).filter((it) => !answered.headers.has(it));
    if (missing.length > 0) throw new Error(`${request} has no header ${missing.join(', ')}`);
    return answered;
  }

  /** One step that is refused with this code, which the contract of the route must name. */
  async refused(code: ProblemCode, id: string, step: Step = {}): Promise<void> {
    const operation = this.#operationOf(id);
    const isNamed = refusalsOf(operation.contract).includes(code);
    if (!isNamed) throw new Error(`the contract of ${id} does not name ${code}`);
    const { request, status, answer } = await this.#send(operation, step);
    const { code: given } = answer as unknown as Body;
    if (String(given) !== code) throw new Error(`${request}: ${status} ${JSON.stringify(answer)}`);
    this.examples.refusals[code] ??= answer;
  }

  /** Keeps the earliest webhook of each type, in whatever order they arrived. */
  arrived(bodies: readonly string[]): void {
    const webhooks = bodies.map((it) => JSON.parse(it) as { type: string; timestamp: string });
    webhooks.sort((a, b) => (a.timestamp < b.timestamp ? -1 : 1));
    for (const { type } of webhooks) {
      this.examples.webhooks[type] = webhooks.find((it) => it.type === type) ?? null;
    }
  }

  /** Operations of the route table whose answers are JSON and which nobody has called. */
  missing(): string[] {
    const described = [...this.#operations.values()].filter(
      ({ contract }) => contract.reply.contentType === undefined,
    );
    return described.map(({ id }) => id).filter((id) => !(id in this.examples.operations));
  }

  #operationOf(id: string): Operation {
    const operation = this.#operations.get(id);
    if (!operation) throw new Error(`there is no operation ${id}`);
    return operation;
  }

  async #send({ contract }: Operation, step: Step) {
    const path = contract.path.replaceAll(/\{(\w+)\}/g, (_all, name) => step.params?.[name] ?? '');
    const query = step.query ? `?${new URLSearchParams(step.query)}` : '';
    const body = step.text ?? (step.body === undefined ? undefined : JSON.stringify(step.body));
    const answered = await fetch(this.#cloud.apiUrl + path + query, {
      method: contract.method,
      headers: this.#headersOf(contract, step),
      ...(body !== undefined && { body }),
    });
    const answer = JSON.parse((await answered.text()) || 'null') as Json;
    const { status, headers } = answered;
    return { request: `${contract.method} ${path}${query}`, status, headers, answer };
  }

  #headersOf({ access, idempotencyKey, body }: Operation['contract'], step: Step) {
    const { key = access === 'admin' ? 'admin' : 'tenant' } = step;
    const bearer = key === 'admin' ? this.#cloud.adminKey : this.#tenantKey;
    this.#requests += 1;
    const headers = {
      ...(access !== 'public' && { authorization: `Bearer ${bearer}` }),
      ...(idempotencyKey && { 'idempotency-key': `request-${this.#requests}-of-${process.pid}` }),
      ...(body && { 'content-type': 'application/json' }),
      ...step.headers,
    };
    return Object.fromEntries(Object.entries(headers).filter(([, value]) => value !== ''));
  }
}
