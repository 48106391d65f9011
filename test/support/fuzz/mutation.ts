import type { Dice } from './dice.ts';
import { fits, isRecord, type JsonSchema } from './json-schema.ts';

/** A value with one fault, and what the fault is. */
export interface Mutation {
  readonly what: string;
  readonly value: unknown;
}

type Path = readonly (string | number)[];

/** What nobody means when he writes an amount (api.md). */
export const BAD_AMOUNTS: readonly unknown[] = [
  ...['0', '-1', '+1', '1.5', '01', '', ' 1', '1 ', '1e3', '0x10', '1_000', '１', 'NaN'],
  ...['1000000000000000001', '9'.repeat(40), '1\n', 0, -1, 1.5, 2 ** 53, 1e30, true, null, {}, []],
];

/** Stand-ins of a wrong type, format, length or range. */
const JUNK: readonly unknown[] = [
  ...[null, true, 0, -1, 1.5, 1e300, 2 ** 60, '', ' ', 'nonsense', '0', '-1', '1e1', '2026-13-45'],
  ...['x'.repeat(5_000), '../..', '%00', "' OR 1=1", [], [[]], [null], {}, { a: 1 }, { id: null }],
];

/** Texts that no field may hold, whatever its schema says of its length. */
const ILL_FORMED = ['nul\0byte', 'high\ud800', '\udc00low'];

const TRIES = 40;

/**
 * The value with one fault: a member is missing, one too many, of another type, range, format or
 * length. Undefined when none was found: a schema may take anything.
 */
export function mutate(schema: JsonSchema, value: unknown, dice: Dice): Mutation | undefined {
  const places = placesIn(value);
  for (let n = 0; n < TRIES; n += 1) {
    const path = dice.pick(places);
    const here = at(value, path);
    const { what, value: junk } = dice.pick(faultsOf(here, dice));
    const mutated = replaced(value, path, junk);
    if (fits(schema, mutated) && !isIllAnyway(junk, path, schema)) continue;
    return { what: `${what} at /${path.join('/')}`, value: mutated };
  }
  return undefined;
}

/** Faults that JSON Schema does not tell, but the documentation does. */
function isIllAnyway(junk: unknown, path: Path, schema: JsonSchema): boolean {
  const isFree = path.includes('data') || !(schema.properties ?? schema.anyOf ?? schema.oneOf);
  if (isFree) return false;
  if (path.at(-1) === 'amount' && path[0] !== 'metadata') return BAD_AMOUNTS.includes(junk);
  return ILL_FORMED.includes(junk as string);
}

function faultsOf(here: unknown, dice: Dice): Mutation[] {
  const junk = { what: 'junk', value: dice.pick(JUNK) };
  if (Array.isArray(here)) return [junk, ...listFaults(here)];
  if (isRecord(here)) return [junk, ...recordFaults(here, dice)];
  if (typeof here === 'number') return [junk, ...numberFaults(here)];
  return typeof here === 'string' ? [junk, ...textFaults(here, dice)] : [junk];
}

function listFaults(here: readonly unknown[]): Mutation[] {
  return [
    { what: 'an empty list', value: [] },
    { what: 'too many items', value: Array(101).fill(here[0] ?? null) },
    { what: 'a null among the items', value: [...here, null] },
    { what: 'the list as an object', value: { ...here } },
  ];
}

function recordFaults(here: Readonly<Record<string, unknown>>, dice: Dice): Mutation[] {
  const names = Object.keys(here);
  const unknown = dice.pick(['surprise', 'constructor', 'toString', 'id', ' type', 'TYPE']);
  const extra = Object.hasOwn(here, unknown) ? [] : [{ ...here, [unknown]: 1 }];
  const dropped = names.length === 0 ? [] : [without(here, dice.pick(names))];
  return [
    ...extra.map((value) => ({ what: `the unknown member ${unknown}`, value })),
    ...dropped.map((value) => ({ what: 'a member less', value })),
    { what: 'a list around it', value: [here] },
    { what: 'its JSON as text', value: JSON.stringify(here) },
  ];
}

function textFaults(here: string, dice: Dice): Mutation[] {
  return [
    { what: 'an ill-formed text', value: dice.pick(ILL_FORMED) },
    { what: 'no amount', value: dice.pick(BAD_AMOUNTS) },
    { what: 'a character less', value: here.slice(0, -1) },
    { what: 'a line feed more', value: `${here}\n` },
    { what: 'a blank before it', value: ` ${here}` },
    { what: 'other letters', value: swapCase(here) },
    { what: 'too long', value: here.padEnd(3_000, 'x') },
    { what: 'a list of it', value: [here] },
  ];
}

function numberFaults(here: number): Mutation[] {
  return [
    { what: 'the number as text', value: String(here) },
    { what: 'a fraction', value: here + 0.5 },
    { what: 'negative', value: -Math.abs(here) - 1 },
    { what: 'huge', value: 1e15 },
  ];
}

function swapCase(text: string): string {
  const upper = text.toUpperCase();
  return upper === text ? text.toLowerCase() : upper;
}

function placesIn(value: unknown, path: Path = []): Path[] {
  const inner = Array.isArray(value)
    ? value.flatMap((it, index) => placesIn(it, [...path, index]))
    : isRecord(value)
      ? Object.entries(value).flatMap(([name, it]) => placesIn(it, [...path, name]))
      : [];
  return [path, ...inner];
}

function at(value: unknown, path: Path): unknown {
  return path.reduce<unknown>((it, step) => (it as Record<string, unknown>)[step], value);
}

/** A copy in which another value stands at the path. */
export function replaced(value: unknown, [step, ...rest]: Path, by: unknown): unknown {
  if (step === undefined) return by;
  if (Array.isArray(value)) {
    return value.map((it, index) => (index === step ? replaced(it, rest, by) : it));
  }
  const record = value as Readonly<Record<string, unknown>>;
  return { ...record, [step]: replaced(record[step], rest, by) };
}

function without(record: Readonly<Record<string, unknown>>, name: string): object {
  return Object.fromEntries(Object.entries(record).filter(([it]) => it !== name));
}
