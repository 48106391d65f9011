import { globSync } from 'node:fs';
import { resolve } from 'node:path';
import * as z from 'zod';
import { allRoutes } from '../../../functions/operations/all-routes.ts';
import type { Contract, EventTypes } from '../../../functions/shared/http/route.ts';

/** A route of the API with the name that clients are generated with. */
export interface Operation {
  readonly id: string;
  /** The room that answers it. */
  readonly room: string;
  readonly contract: Contract;
}

/** What all rooms say of themselves in their contracts. */
export interface Rooms {
  readonly operations: readonly Operation[];
  readonly eventTypes: EventTypes;
}

/**
 * Every route of the route table, named by its export: `createAccountRoute` is `createAccount`.
 * And every event type, from the exports `<room>EventTypes`. Throws for a route without a name.
 */
export async function readRooms(): Promise<Rooms> {
  const names = new Map<unknown, Pick<Operation, 'id' | 'room'>>();
  const eventTypes: EventTypes[] = [];
  for (const file of globSync('functions/*/{contract,*.contract}.ts').sort()) {
    const [, room = ''] = file.split('/');
    for (const [name, value] of Object.entries<unknown>(await import(resolve(file)))) {
      if (name.endsWith('Route')) names.set(value, { id: name.slice(0, -'Route'.length), room });
      if (name.endsWith('EventTypes')) eventTypes.push(value as EventTypes);
    }
  }
  const operations = allRoutes.map((contract) => {
    const name = names.get(contract);
    if (!name) throw new Error(`${contract.method} ${contract.path} is not exported as a …Route`);
    return { ...name, contract };
  });
  return { operations, eventTypes: Object.assign({}, ...eventTypes) };
}

/** Whether a body of this schema is JSON that the schema describes. */
export function isJson({ reply }: Contract): boolean {
  return reply.contentType === undefined;
}

/** Every status that a success of the route can have, the usual one first. */
export function statusesOf({ reply }: Contract): number[] {
  return [reply.status, ...(reply.otherStatuses ?? [])];
}

/** The members of an object's schema, also behind `optional()` and the like; none of others. */
export function shapeOf(schema: z.ZodType | undefined): Readonly<Record<string, z.ZodType>> {
  if (schema instanceof z.ZodObject) return schema.shape as Readonly<Record<string, z.ZodType>>;
  if (schema instanceof z.ZodOptional) return shapeOf(schema.unwrap() as z.ZodType);
  return {};
}
