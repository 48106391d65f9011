/** What an update of a stored item says. */
export interface FieldUpdate {
  readonly update: string;
  readonly names: Readonly<Record<string, string>>;
  /** Absent where nothing is set: DynamoDB refuses an empty one. */
  readonly values?: Readonly<Record<string, unknown>>;
}

/** Sets these fields, one at least, and takes away those that are undefined. */
export function setFields(fields: Readonly<Record<string, unknown>>): FieldUpdate {
  const all = Object.entries(fields);
  const set = all.filter(([, value]) => value !== undefined);
  const removed = all.filter(([, value]) => value === undefined);
  const clauses = [
    ...(set.length > 0 ? [`SET ${set.map(([name]) => `#${name} = :${name}`).join(', ')}`] : []),
    ...(removed.length > 0 ? [`REMOVE ${removed.map(([name]) => `#${name}`).join(', ')}`] : []),
  ];
  const values = Object.fromEntries(set.map(([name, value]) => [`:${name}`, value]));
  return {
    update: clauses.join(' '),
    names: Object.fromEntries(all.map(([name]) => [`#${name}`, name])),
    ...(set.length > 0 && { values }),
  };
}
