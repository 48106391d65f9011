import type * as z from 'zod';
import type { Contract } from '../../../functions/shared/http/route.ts';
import { type FuzzCall, routeKey } from './call.ts';
import type { Dice } from './dice.ts';
import { fits, type JsonSchema, schemaOf } from './json-schema.ts';
import { type Mutation, mutate } from './mutation.ts';
import { breakJson, breakTarget, randomBody } from './noise.ts';
import type { Pool } from './pool.ts';
import { validValue } from './valid-value.ts';

/** The parts of a request before they are written down. */
export interface Parts {
  readonly params: Readonly<Record<string, string>>;
  readonly query: Readonly<Record<string, string>>;
  readonly body: unknown;
}

const TRIES = 200;
const schemas = new WeakMap<z.ZodType, JsonSchema>();

/** The published schema of a part of a contract; asked for often, worked out once. */
export function publishedSchema(schema: z.ZodType): JsonSchema {
  const known = schemas.get(schema) ?? schemaOf(schema);
  schemas.set(schema, known);
  return known;
}

/** A request that fits its contract. */
export function validCall(contract: Contract, pool: Pool, dice: Dice): FuzzCall {
  const parts = validParts(contract, pool, dice);
  return { ...written(contract, parts, dice), expected: { kind: 'valid' }, what: 'valid' };
}

/** Values for each part that the contract accepts, with real ids where there are some. */
export function validParts(contract: Contract, pool: Pool, dice: Dice): Parts {
  const draw = (schema: z.ZodType | undefined) => schema && drawValid(schema, contract, pool, dice);
  const { cursor, ...query } = (draw(contract.query) ?? {}) as Parts['query'];
  const isContinued = cursor !== undefined && dice.chance(0.3);
  return {
    params: (draw(contract.params) ?? {}) as Parts['params'],
    // A cursor that belongs to another list is refused at once, and shows nothing else.
    query: isContinued ? { ...query, cursor } : query,
    body: draw(contract.body),
  };
}

/** The schema alone does not know every rule, so the contract has the last word. */
function drawValid(schema: z.ZodType, contract: Contract, pool: Pool, dice: Dice): unknown {
  const arbitrary = validValue(publishedSchema(schema), pool);
  for (let n = 0; n < TRIES; n += 1) {
    const value = dice.draw(arbitrary);
    // JSON.parse would lose the name, so that it is refused although it fits.
    if (JSON.stringify(value).includes('"__proto__":')) continue;
    if (!schema.safeParse(value).success) continue;
    if (fits(publishedSchema(schema), value)) return value;
    const what = JSON.stringify(value);
    throw new Error(`${routeKey(contract)} takes more than its published schema: ${what}`);
  }
  throw new Error(`no valid value was found for ${routeKey(contract)}: give its members hints`);
}

/**
 * A request with one fault in its body, its query, its path or its text; noise for the few routes
 * that take nothing and so know no fault.
 */
export function invalidCall(contract: Contract, pool: Pool, dice: Dice): FuzzCall {
  const parts = validParts(contract, pool, dice);
  const ways = [invalidParams, invalidQuery];
  if (contract.body) ways.push(invalidBody, invalidBody, invalidBody, invalidText);
  for (let n = 0; n < 20; n += 1) {
    const call = dice.pick(ways)(contract, parts, dice);
    if (call) return call;
  }
  return noiseCall(contract, pool, dice);
}

type Way = (contract: Contract, parts: Parts, dice: Dice) => FuzzCall | undefined;

const invalidBody: Way = (contract, parts, dice) => {
  const mutation = contract.body && mutate(publishedSchema(contract.body), parts.body, dice);
  if (!mutation) return undefined;
  // A batch of more than a hundred is too large, and not wrong.
  const codes = ['validation_failed', 'invalid_amount', 'payload_too_large', 'invalid_due_time'];
  return invalid({ contract, parts: { ...parts, body: mutation.value }, mutation, codes }, dice);
};

const invalidText: Way = (contract, parts, dice) => {
  const { what, body } = breakJson(JSON.stringify(parts.body), dice);
  const call = written(contract, parts, dice);
  return { ...call, body, what, expected: { kind: 'invalid', codes: ['malformed_json'] } };
};

const UNKNOWN_PARAMETER = { what: 'an unknown parameter', value: { surprise: '1' } };

const invalidQuery: Way = (contract, parts, dice) => {
  if (contract.access === 'public') return undefined;
  const mutation = contract.query
    ? mutate(publishedSchema(contract.query), parts.query, dice)
    : UNKNOWN_PARAMETER;
  const query = mutation?.value;
  if (!mutation || !isQuery(query)) return undefined;
  const codes = ['validation_failed', 'invalid_cursor'];
  return invalid({ contract, parts: { ...parts, query }, mutation, codes }, dice);
};

const invalidParams: Way = (contract, parts, dice) => {
  if (!contract.params) return undefined;
  const mutation = mutate(publishedSchema(contract.params), parts.params, dice);
  const params = mutation?.value;
  if (!mutation || !isQuery(params) || Object.values(params).includes('')) return undefined;
  const isComplete = Object.keys(parts.params).every((name) => Object.hasOwn(params, name));
  if (!isComplete || Object.keys(params).length > Object.keys(parts.params).length) {
    return undefined;
  }
  // An id of dots alone is a step of the path, and the client takes it out.
  if (Object.values(params).some((it) => /^\.+$/.test(it))) return undefined;
  return invalid({ contract, parts: { ...parts, params }, mutation, codes: ['not_found'] }, dice);
};

/** Whether the value can be written as a query: texts only, and each of them well-formed. */
function isQuery(value: unknown): value is Readonly<Record<string, string>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  return Object.values(value).every((it) => typeof it === 'string' && it.isWellFormed());
}

interface Faulty {
  readonly contract: Contract;
  readonly parts: Parts;
  readonly mutation: Mutation;
  readonly codes: readonly string[];
}

function invalid({ contract, parts, mutation, codes }: Faulty, dice: Dice): FuzzCall {
  const call = written(contract, parts, dice);
  return { ...call, what: mutation.what, expected: { kind: 'invalid', codes } };
}

/** A request that nobody knows the answer to, but that it must be an orderly one. */
export function noiseCall(contract: Contract, pool: Pool, dice: Dice): FuzzCall {
  const call = written(contract, validParts(contract, pool, dice), dice);
  const noise = { ...call, what: 'noise', expected: { kind: 'noise' } as const };
  if (contract.body && dice.chance(0.7)) return { ...noise, body: randomBody(dice) };
  return { ...noise, target: breakTarget(call.target, dice) };
}

/** The request as it is sent, with a fresh Idempotency-Key where one is heeded. */
export function written(
  contract: Contract,
  { params, query, body }: Parts,
  dice: Dice,
): Pick<FuzzCall, 'contract' | 'target' | 'headers' | 'body'> {
  const path = contract.path.replace(/\{(\w+)\}/g, (_all, name: string) =>
    encodeURIComponent(params[name] ?? ''),
  );
  const search = new URLSearchParams(query).toString();
  const key = `fuzz-${dice.below(2 ** 31)}-${dice.below(2 ** 31)}`;
  return {
    contract,
    target: search === '' ? path : `${path}?${search}`,
    headers: {
      ...(contract.idempotencyKey && { 'idempotency-key': key }),
      ...(contract.body && { 'content-type': 'application/json' }),
    },
    ...(contract.body && { body: JSON.stringify(body) }),
  };
}
