import type { Contract } from '../../functions/shared/http/route.ts';
import { publishedSchema, validParts, written } from './fuzz/compose.ts';
import type { Dice } from './fuzz/dice.ts';
import { isRecord } from './fuzz/json-schema.ts';
import type { Pool } from './fuzz/pool.ts';

/** Where a route takes an id of some object. */
export interface IdPlace {
  readonly contract: Contract;
  readonly where: 'params' | 'query' | 'body';
  readonly prefix: string;
}

/** Every place of a route that takes an id, from its published schemas. */
export function idPlaces(contract: Contract): IdPlace[] {
  return (['params', 'query', 'body'] as const).flatMap((where) => {
    const schema = contract[where];
    if (!schema) return [];
    const text = JSON.stringify(publishedSchema(schema));
    const prefixes = new Set([...text.matchAll(/"\^([a-z]{3})_/g)].map((it) => it[1] ?? ''));
    return [...prefixes].map((prefix) => ({ contract, where, prefix }));
  });
}

/** Names that end like an id and are the caller's own, or those of a message in a queue. */
const OWN_NAMES = ['externalId', 'userId', 'messageId'];

/** Members and path parameters that are called an id, and do not say of what kind. */
export function namelessIds(contract: Contract): string[] {
  const parameters = [...contract.path.matchAll(/\{(\w+)\}/g)].map((it) => it[1] ?? '');
  const kinds = idPlaces(contract).filter(({ where }) => where === 'params');
  const unknown = parameters.slice(kinds.length);
  for (const where of ['query', 'body'] as const) {
    const schema = contract[where];
    if (schema) unknown.push(...namelessMembers(publishedSchema(schema)));
  }
  return unknown;
}

function namelessMembers(value: unknown): string[] {
  if (Array.isArray(value)) return value.flatMap(namelessMembers);
  if (!isRecord(value)) return [];
  const own = isRecord(value.properties) ? Object.entries(value.properties) : [];
  const nameless = own.filter(([name, it]) => {
    const isId = /(^i|I)d$/.test(name) && !OWN_NAMES.includes(name);
    return isId && !/"\^[a-z]{3}_/.test(JSON.stringify(it));
  });
  return [...nameless.map(([name]) => name), ...Object.values(value).flatMap(namelessMembers)];
}

/** A well-formed id that nobody has. */
export function nobodysId(prefix: string): string {
  return `${prefix}_${'0'.repeat(['dlv', 'rpl'].includes(prefix) ? 52 : 26)}`;
}

/** A request as it is written down, ready to be sent. */
export type Written = ReturnType<typeof written>;

const TRIES = 500;

/**
 * A valid request of a tenant with a stand-in at the place, as a function of the id that is put
 * there. Everything else in it is the tenant's own.
 */
export function requestWith(
  { contract, where, prefix }: IdPlace,
  own: Pool,
  dice: Dice,
): (id: string) => Written {
  for (let n = 0; n < TRIES; n += 1) {
    const parts = validParts(contract, own, dice);
    const here = JSON.stringify(parts[where]);
    const found = own.ids(prefix).find((it) => here.includes(`"${it}"`));
    if (found === undefined && where !== 'params') continue;
    const put = (id: string) =>
      where === 'params'
        ? Object.fromEntries(Object.keys(parts.params).map((name) => [name, id]))
        : JSON.parse(here.replaceAll(`"${found}"`, JSON.stringify(id)));
    // A filter that does not fit the object would be refused before the object is looked for.
    const isBare = where === 'params' && contract.query?.safeParse({}).success;
    const query = isBare ? {} : parts.query;
    return (id) => written(contract, { ...parts, query, [where]: put(id) }, dice);
  }
  throw new Error(`no request with a ${prefix}_ in its ${where} was found: ${contract.path}`);
}
