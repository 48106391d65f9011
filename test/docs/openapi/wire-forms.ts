import * as z from 'zod';
import type { ZodOpenApiOverride } from 'zod-openapi';
import { PageQuery } from '../../../functions/shared/wire.ts';

/** What JSON Schema cannot know of schemas that read a number from text, or whose check is code. */
const FORMS = new Map<z.core.$ZodType, object>([
  [PageQuery.limit, { type: 'integer', minimum: 1, maximum: 100, default: 25 }],
]);

/** Makes the form on the wire complete, and leaves out what says nothing. */
export const wireForms: ZodOpenApiOverride = ({ zodSchema, jsonSchema, io }) => {
  const form = FORMS.get(zodSchema);
  if (form) {
    const { description } = jsonSchema;
    for (const name of Object.keys(jsonSchema)) delete jsonSchema[name as keyof Form];
    Object.assign(jsonSchema, form, description === undefined ? {} : { description });
  }
  // The pattern repeats the calendar.
  if (jsonSchema.format === 'date-time') delete jsonSchema.pattern;
  // That an integer is one that JSON can hold is no news either.
  if (jsonSchema.minimum === Number.MIN_SAFE_INTEGER) delete jsonSchema.minimum;
  if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum;
  if (!(zodSchema instanceof z.ZodObject) || isStrict(zodSchema)) return;
  // Clients must bear members that a later version adds to an answer.
  if (io === 'output') delete jsonSchema.additionalProperties;
  for (const [name, member] of Object.entries(jsonSchema.properties ?? {})) {
    // Answers hold instants as text that is formatted already, always under such names.
    if (/(^at|At)$/.test(name)) Object.assign(member, { format: 'date-time' });
  }
};

type Form = Parameters<ZodOpenApiOverride>[0]['jsonSchema'];

function isStrict(schema: z.ZodObject): boolean {
  return schema.def.catchall instanceof z.ZodNever;
}
