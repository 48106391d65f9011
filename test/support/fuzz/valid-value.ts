import * as fc from 'fast-check';
import { fits, type JsonSchema, resolved } from './json-schema.ts';

/** What makes a valid value also a sensible one, so that requests get beyond the schema. */
export interface Material {
  /** Real ids, by their prefix. */
  ids(prefix: string): readonly string[];
  /** Values that a member of this name should mostly have. */
  named(name: string): readonly unknown[];
}

interface Place {
  readonly root: JsonSchema;
  readonly material: Material;
  readonly depth: number;
}

/** Deeper than this, only values that hold no others are made. */
const DEPTH_MAX = 5;

/**
 * Values that fit the schema. What a schema cannot say, such as which texts are a currency, has to
 * be checked afterwards.
 */
export function validValue(schema: JsonSchema, material: Material): fc.Arbitrary<unknown> {
  return valueAt(schema, { root: schema, material, depth: 0 });
}

function valueAt(given: JsonSchema, place: Place): fc.Arbitrary<unknown> {
  const schema = resolved(given, place.root);
  const options = schema.anyOf ?? schema.oneOf;
  if (options) return oneOf(options, place);
  if (typeof schema.type === 'object') {
    return oneOf(
      schema.type.map((type) => ({ ...schema, type })),
      place,
    );
  }
  if (schema.const !== undefined) return fc.constant(schema.const);
  if (schema.enum) return fc.constantFrom(...schema.enum);
  if (schema.type === 'string') return textOf(schema, place.material);
  if (schema.type === 'integer') return integerOf(schema);
  if (schema.type === 'number') return numberOf(schema);
  if (schema.type === 'boolean') return fc.boolean();
  if (schema.type === 'null') return fc.constant(null);
  if (schema.type === 'array') return listOf(schema, place);
  if (schema.type === 'object') return recordOf(schema, place);
  return fc.jsonValue({ maxDepth: 2 });
}

function oneOf(options: readonly JsonSchema[], place: Place): fc.Arbitrary<unknown> {
  const isLeaf = (it: JsonSchema) => !/array|object/.test(String(resolved(it, place.root).type));
  const leaves = place.depth > DEPTH_MAX ? options.filter(isLeaf) : [];
  const chosen = leaves.length > 0 ? leaves : options;
  return fc.oneof(...chosen.map((it) => valueAt(it, { ...place, depth: place.depth + 1 })));
}

const MS_OF_2000 = Date.UTC(2000, 0, 1);
const MS_OF_2100 = Date.UTC(2100, 0, 1);

function textOf(schema: JsonSchema, material: Material): fc.Arbitrary<unknown> {
  const { format, pattern, minLength = 0, maxLength = 300 } = schema;
  if (format === 'date-time') {
    const min = new Date(MS_OF_2000);
    const max = new Date(MS_OF_2100);
    return fc.date({ min, max, noInvalidDate: true }).map((it) => it.toISOString());
  }
  if (pattern !== undefined) return patterned(pattern, material);
  return freeText(minLength, Math.min(maxLength, 2_000));
}

/** One unit for all: making it costs more than using it. */
const ANY_CHARACTER = fc.string({ unit: 'binary', minLength: 1, maxLength: 1 });

function freeText(minLength: number, maxLength: number): fc.Arbitrary<string> {
  return fc.oneof(
    { weight: 3, arbitrary: fc.string({ minLength, maxLength, size: 'small' }) },
    { weight: 1, arbitrary: fc.string({ unit: ANY_CHARACTER, minLength, maxLength }) },
    { weight: 1, arbitrary: fc.constant('x'.repeat(maxLength)) },
  );
}

const CROCKFORD = fc.constantFrom(...'0123456789ABCDEFGHJKMNPQRSTVWXYZ');
const ID_PART = fc.string({ unit: CROCKFORD, minLength: 25, maxLength: 25 }).map((it) => `0${it}`);

/** Taking a pattern apart costs more than all the rest of a request. */
const made = new Map<string, fc.Arbitrary<string>>();

function patterned(pattern: string, material: Material): fc.Arbitrary<unknown> {
  const prefix = /^\^([a-z]{3})_/.exec(pattern)?.[1];
  if (prefix === undefined) {
    const known = made.get(pattern) ?? fc.stringMatching(new RegExp(pattern), { size: 'small' });
    made.set(pattern, known);
    return known;
  }
  // The id of a delivery has two parts.
  const count = pattern.endsWith('{2}$') ? 2 : 1;
  const parts = fc.array(ID_PART, { minLength: count, maxLength: count });
  const anybodys = parts.map((it) => `${prefix}_${it.join('')}`);
  const real = material.ids(prefix);
  if (real.length === 0) return anybodys;
  return fc.oneof(
    { weight: 15, arbitrary: fc.constantFrom(...real) },
    { weight: 1, arbitrary: anybodys },
  );
}

function integerOf(schema: JsonSchema): fc.Arbitrary<unknown> {
  const { exclusiveMinimum, exclusiveMaximum } = schema;
  const { minimum = exclusiveMinimum === undefined ? undefined : exclusiveMinimum + 1 } = schema;
  const { maximum = exclusiveMaximum === undefined ? undefined : exclusiveMaximum - 1 } = schema;
  const min = minimum ?? Number.MIN_SAFE_INTEGER;
  return fc.integer({ min: 0, max: 2 ** 31 - 1 }).chain((small) => {
    const max = Math.min(maximum ?? Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER);
    const near = Math.min(max, Math.max(min, 0) + small);
    return fc.constantFrom(near, near, min, max, Math.min(max, min + (small % 100)));
  });
}

function numberOf(schema: JsonSchema): fc.Arbitrary<unknown> {
  const { minimum = -1e21, maximum = 1e21 } = schema;
  const { exclusiveMinimum: above, exclusiveMaximum: below } = schema;
  return fc.double({
    min: above ?? minimum,
    max: below ?? maximum,
    minExcluded: above !== undefined,
    maxExcluded: below !== undefined,
    noNaN: true,
  });
}

function listOf(schema: JsonSchema, place: Place): fc.Arbitrary<unknown> {
  const { items = {}, minItems = 0, maxItems = 10 } = schema;
  const maxLength = place.depth > DEPTH_MAX ? minItems : Math.min(maxItems, minItems + 5);
  const item = valueAt(items, { ...place, depth: place.depth + 1 });
  return fc.array(item, { minLength: minItems, maxLength });
}

function recordOf(schema: JsonSchema, place: Place): fc.Arbitrary<unknown> {
  const { properties, additionalProperties, propertyNames } = schema;
  const inner = { ...place, depth: place.depth + 1 };
  if (properties) return membersOf(properties, schema.required ?? [], inner);
  if (typeof additionalProperties !== 'object') return fc.constant({});
  const name = valueAt(propertyNames ?? { type: 'string' }, inner) as fc.Arbitrary<string>;
  const maxKeys = place.depth > DEPTH_MAX ? 0 : 4;
  return fc.dictionary(name, valueAt(additionalProperties, inner), {
    maxKeys,
    noNullPrototype: true,
  });
}

/** Often without what may be left out: each member more is one more reason for a refusal. */
function membersOf(
  properties: Readonly<Record<string, JsonSchema>>,
  required: readonly string[],
  place: Place,
): fc.Arbitrary<unknown> {
  const members = Object.entries(properties).map(
    ([name, it]) => [name, memberOf(name, it, place)] as const,
  );
  const needed = members.filter(([name]) => required.includes(name));
  const some = fc.record(Object.fromEntries(members), { requiredKeys: [...required] });
  return fc.oneof(
    { weight: 2, arbitrary: fc.record(Object.fromEntries(needed)) },
    { weight: 3, arbitrary: some },
  );
}

function memberOf(name: string, schema: JsonSchema, place: Place): fc.Arbitrary<unknown> {
  const made = valueAt(schema, place);
  const named = place.material.named(name).filter((it) => fits(schema, it, place.root));
  if (named.length === 0) return made;
  return fc.oneof(
    { weight: 9, arbitrary: fc.constantFrom(...named) },
    { weight: 1, arbitrary: made },
  );
}
