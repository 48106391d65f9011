import * as z from 'zod';
import { isJson, type Operation, type Rooms, shapeOf } from './route-table.ts';

/**
 * Names the schemas that are worth a component, so that clients get types with good names: what
 * the API calls an object (`object: 'account'` is Account), pages of them, bodies and answers by
 * their operation, data by its event. A name that a contract gives itself stays.
 */
export function nameSchemas({ operations, eventTypes }: Rooms): void {
  const names = new Names();
  const answered = operations.filter(({ contract }) => isJson(contract));
  for (const { kind, schema, isNew } of objectsOf(answered)) {
    names.give(schema, [pascal(kind), ...(isNew ? [`New${pascal(kind)}`] : [])]);
  }
  for (const { id, contract } of answered) {
    const { schema } = contract.reply;
    const { data, hasMore } = shapeOf(schema);
    const item = data instanceof z.ZodArray ? nameOf(data.element as z.ZodType) : undefined;
    const page = item !== undefined && hasMore ? [`${item}Page`] : [];
    names.give(schema, [...page, `${pascal(id)}Answer`]);
    if (contract.body) names.give(contract.body, [`${pascal(id)}Body`]);
  }
  for (const [type, { data }] of Object.entries(eventTypes)) {
    names.give(data, [`${pascal(type)}Data`]);
  }
}

/** The name that a schema has. */
export function nameOf(schema: z.ZodType): string | undefined {
  return z.globalRegistry.get(schema)?.id;
}

class Names {
  readonly #taken = new Map<string, z.ZodType>();

  /** The first of these names that is free, unless the schema has one. */
  give(schema: z.ZodType, wanted: readonly string[]): void {
    const given = nameOf(schema);
    const id = given ?? wanted.find((it) => !this.#taken.has(it));
    if (id === undefined) return;
    this.#taken.set(id, schema);
    if (given === undefined) z.globalRegistry.add(schema, { ...schema.meta(), id });
  }
}

interface Found {
  readonly kind: string;
  readonly schema: z.ZodObject;
  /** Whether creations answer it: such a one may hold more, as a secret that is shown once. */
  readonly isNew: boolean;
}

/** The objects that answers hold. Of one kind the barest comes first: the others extend it. */
function objectsOf(operations: readonly Operation[]): Found[] {
  const found = new Map<z.ZodType, Found>();
  const visit = (schema: z.ZodType, isNew: boolean): void => {
    if (schema instanceof z.ZodArray) visit(schema.element as z.ZodType, isNew);
    const { object, ...members } = shapeOf(schema);
    if (object instanceof z.ZodLiteral && schema instanceof z.ZodObject && !found.has(schema)) {
      found.set(schema, { kind: String(object.value), schema, isNew });
    }
    for (const member of Object.values(members)) visit(member, isNew);
  };
  for (const { contract } of operations) {
    visit(contract.reply.schema, contract.reply.status === 201);
  }
  const width = ({ schema }: Found) => Object.keys(schema.shape).length;
  return [...found.values()].toSorted((a, b) => width(a) - width(b));
}

function pascal(name: string): string {
  return name.replaceAll(/(^|[._-])(\w)/g, (_all, _mark, letter) => letter.toUpperCase());
}
