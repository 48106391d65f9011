import * as z from 'zod';

/** The part of JSON Schema that contracts come out as. */
export interface JsonSchema {
  readonly $ref?: string;
  readonly $defs?: Readonly<Record<string, JsonSchema>>;
  readonly type?: string | readonly string[];
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly JsonSchema[];
  readonly oneOf?: readonly JsonSchema[];
  readonly allOf?: readonly JsonSchema[];
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: boolean | JsonSchema;
  readonly propertyNames?: JsonSchema;
  readonly items?: JsonSchema;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly pattern?: string;
  readonly format?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
  readonly exclusiveMaximum?: number;
}

/** What a caller may send, as the published contract says it. */
export function schemaOf(schema: z.ZodType): JsonSchema {
  return z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) as JsonSchema;
}

/** The schema itself, where it only points to another part of `root`. */
export function resolved(schema: JsonSchema, root: JsonSchema): JsonSchema {
  if (schema.$ref === undefined) return schema;
  if (schema.$ref === '#') return root;
  const found = root.$defs?.[schema.$ref.replace('#/$defs/', '')];
  if (!found) throw new Error(`the schema has no ${schema.$ref}`);
  return resolved(found, root);
}

/**
 * Whether JSON fits the schema. Written by the specification and not by zod, so that the two of
 * them are held against each other.
 */
export function fits(given: JsonSchema, value: unknown, root: JsonSchema = given): boolean {
  const schema = resolved(given, root);
  const inside = (part: JsonSchema, it: unknown) => fits(part, it, root);
  if (schema.type && ![schema.type].flat().some((it) => isOfType(it, value))) return false;
  if (schema.const !== undefined && schema.const !== value) return false;
  if (schema.enum && !schema.enum.includes(value)) return false;
  if (schema.anyOf && !schema.anyOf.some((it) => inside(it, value))) return false;
  if (schema.oneOf && schema.oneOf.filter((it) => inside(it, value)).length !== 1) return false;
  if (schema.allOf && !schema.allOf.every((it) => inside(it, value))) return false;
  if (typeof value === 'string') return fitsText(schema, value);
  if (typeof value === 'number') return fitsNumber(schema, value);
  if (Array.isArray(value)) return fitsList(schema, value, inside);
  return isRecord(value) ? fitsRecord(schema, value, inside) : true;
}

/** An object of JSON, and no list. */
export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isOfType(type: string, value: unknown): boolean {
  if (type === 'null') return value === null;
  if (type === 'array') return Array.isArray(value);
  if (type === 'object') return isRecord(value);
  if (type === 'integer') return Number.isInteger(value);
  return typeof value === type;
}

function fitsText(schema: JsonSchema, value: string): boolean {
  const length = [...value].length;
  const { minLength = 0, maxLength = Number.POSITIVE_INFINITY, pattern } = schema;
  if (length < minLength || length > maxLength) return false;
  return pattern === undefined || new RegExp(pattern, 'u').test(value);
}

function fitsNumber(schema: JsonSchema, value: number): boolean {
  const { minimum = -Infinity, maximum = Infinity } = schema;
  const { exclusiveMinimum = -Infinity, exclusiveMaximum = Infinity } = schema;
  return (
    value >= minimum && value <= maximum && value > exclusiveMinimum && value < exclusiveMaximum
  );
}

type Inside = (part: JsonSchema, value: unknown) => boolean;

function fitsList(schema: JsonSchema, value: readonly unknown[], inside: Inside): boolean {
  const { minItems = 0, maxItems = Number.POSITIVE_INFINITY, items } = schema;
  if (value.length < minItems || value.length > maxItems) return false;
  return items === undefined || value.every((it) => inside(items, it));
}

function fitsRecord(
  { properties = {}, required = [], additionalProperties = true, propertyNames }: JsonSchema,
  value: Readonly<Record<string, unknown>>,
  inside: Inside,
): boolean {
  if (required.some((name) => !Object.hasOwn(value, name))) return false;
  return Object.entries(value).every(([name, it]) => {
    if (propertyNames && !inside(propertyNames, name)) return false;
    const known = Object.hasOwn(properties, name) ? properties[name] : undefined;
    if (known) return inside(known, it);
    if (typeof additionalProperties === 'boolean') return additionalProperties;
    return inside(additionalProperties, it);
  });
}
