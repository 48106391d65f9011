import type { Contract } from '../../../functions/shared/http/route.ts';
import { apiClient } from '../api.ts';
import { type FuzzAnswer, type FuzzCall, NO_ANSWER, routeKey } from './call.ts';
import { invalidCall, noiseCall, publishedSchema, validCall } from './compose.ts';
import { type Dice, diceOf } from './dice.ts';
import { isRecord } from './json-schema.ts';
import { judge } from './judge.ts';
import { Pool } from './pool.ts';
import { sensibleValues } from './sensible-values.ts';

/** The API that is fuzzed. */
export interface FuzzTarget {
  readonly apiUrl: string;
  readonly adminKey: string;
  /** Where endpoints of the fuzzed tenants may point. */
  readonly receiverUrl: string;
  readonly contracts: readonly Contract[];
}

/** A request whose answer breaks a promise. */
export interface Finding {
  readonly step: number;
  readonly call: FuzzCall;
  readonly answer: FuzzAnswer;
  readonly complaints: readonly string[];
}

/** One tenant's life: what was asked, and what came of it. */
export interface SessionResult {
  readonly tenantId: string;
  readonly findings: readonly Finding[];
  /** Per route and kind of request: how often each status came. */
  readonly counts: ReadonlyMap<string, number>;
}

/** At first, so many requests to each route of creation make things for the later ones to use. */
const CREATED_EACH = 4;

/** One tenant, `requests` requests one after the other. Equal seeds ask for the same things. */
export async function runSession(
  target: FuzzTarget,
  { seed, requests }: { readonly seed: number; readonly requests: number },
): Promise<SessionResult> {
  const session = new Session(target, await newcomer(target), diceOf(seed));
  for (let step = 0; step < requests; step += 1) await session.step(step);
  return session;
}

interface Newcomer {
  readonly tenantId: string;
  readonly key: string;
  readonly keyId: string;
}

async function newcomer({ apiUrl, adminKey }: FuzzTarget): Promise<Newcomer> {
  const limits = { requestsPerSecond: 10_000, burst: 20_000 };
  const admin = apiClient(apiUrl, adminKey);
  const ask = (body: object) =>
    admin.post<{ id: string; apiKey: { id: string; key: string } }>('/v1/tenants', body);
  const generous = await ask({ name: 'Fuzz', limits });
  const { status, body } = generous.status === 201 ? generous : await ask({ name: 'Fuzz' });
  if (status !== 201) throw new Error(`no tenant: ${status} ${JSON.stringify(body)}`);
  return { tenantId: body.id, key: body.apiKey.key, keyId: body.apiKey.id };
}

class Session implements SessionResult {
  readonly tenantId: string;
  readonly findings: Finding[] = [];
  readonly counts = new Map<string, number>();
  readonly #target: FuzzTarget;
  readonly #key: string;
  readonly #dice: Dice;
  readonly #pool: Pool;
  readonly #creations: readonly Contract[];
  /** Requests that made something, to be repeated. */
  readonly #made: { readonly call: FuzzCall; readonly id: unknown }[] = [];
  readonly #deleted = new Set<unknown>();

  constructor(target: FuzzTarget, { tenantId, key, keyId }: Newcomer, dice: Dice) {
    this.tenantId = tenantId;
    this.#target = target;
    this.#key = key;
    this.#dice = dice;
    this.#pool = new Pool(sensibleValues(target.receiverUrl), [tenantId, keyId]);
    const makes = ({ method, params, access }: Contract) =>
      method === 'POST' && !params && access !== 'public';
    this.#creations = target.contracts.filter(makes).sort((a, b) => needs(a) - needs(b));
  }

  async step(step: number): Promise<void> {
    const call = this.#compose(step);
    const { key, adminKey } = { key: this.#key, adminKey: this.#target.adminKey };
    const answer = await this.#send(call, call.contract.access === 'admin' ? adminKey : key);
    const complaints = judge(call, answer, [key, adminKey]);
    if (complaints.length > 0) this.findings.push({ step, call, answer, complaints });
    const code = answer.status >= 400 && /"code":"(\w+)","requestId"/.exec(answer.text)?.[1];
    const outcome = code ? `${answer.status} ${code}` : String(answer.status);
    const name = `${routeKey(call.contract)} ${call.expected.kind} ${outcome}`;
    this.counts.set(name, (this.counts.get(name) ?? 0) + 1);
    if (answer.status < 300) this.#learn(call, answer);
  }

  #compose(step: number): FuzzCall {
    const dice = this.#dice;
    const creation = this.#creations[Math.floor(step / CREATED_EACH)];
    if (creation) return validCall(creation, this.#pool, dice);
    if (this.#made.length > 0 && dice.chance(0.05)) {
      const { call, id } = dice.pick(this.#made);
      const isGone = this.#deleted.has(id) && GONE_WHEN_DELETED.test(String(id));
      const refused = { kind: 'invalid', codes: ['conflict'] } as const;
      const expected = isGone ? refused : ({ kind: 'replay', id } as const);
      return { ...call, what: 'the same again', expected };
    }
    const contract = dice.pick(this.#target.contracts);
    return dice.pick([...TURNS])(contract, this.#pool, dice);
  }

  async #send({ contract, target, headers, body }: FuzzCall, key: string): Promise<FuzzAnswer> {
    const authorization = contract.access === 'public' ? {} : { authorization: `Bearer ${key}` };
    const init = {
      method: contract.method,
      headers: { ...headers, ...authorization },
      redirect: 'manual' as const,
      ...(body !== undefined && { body }),
    };
    try {
      const answer = await fetch(this.#target.apiUrl + target, init);
      return { status: answer.status, headers: answer.headers, text: await answer.text() };
    } catch (error) {
      const { message, cause } = error as Error;
      return { status: NO_ANSWER, headers: new Headers(), text: `${message}: ${String(cause)}` };
    }
  }

  #learn(call: FuzzCall, { text, headers, status }: FuzzAnswer): void {
    if (call.contract.method === 'DELETE') this.#deleted.add(call.target.split(/[/?]/)[3]);
    if (!/json/.test(headers.get('content-type') ?? '')) return;
    const body: unknown = JSON.parse(text);
    // The operator sees other tenants, whose things are not for this one.
    if (call.contract.access === 'admin') this.#pool.learn(isRecord(body) ? body.id : undefined);
    else this.#pool.learn(body);
    const { idempotencyKey, reply } = call.contract;
    // Another status than that of the contract made nothing: a dry run, which nobody remembers.
    const isFirst = idempotencyKey && call.expected.kind === 'valid' && status === reply.status;
    if (isFirst && isRecord(body) && body.id !== undefined) this.#made.push({ call, id: body.id });
  }
}

/** Endpoints and sources. What else is deleted is cancelled or revoked, and can be looked at. */
const GONE_WHEN_DELETED = /^(end|src)_/;

/** How many ids of other things a creation names: what needs none comes first. */
function needs({ body }: Contract): number {
  if (!body) return 0;
  return JSON.stringify(publishedSchema(body)).match(/\^[a-z]{3}_/g)?.length ?? 0;
}

const TURNS = [
  ...[validCall, validCall, validCall, validCall],
  ...[invalidCall, invalidCall, invalidCall, invalidCall, noiseCall],
];
